// Package rows is what sqlc makes of sql/queries/readmodels: queries that read, and never write.
package rows
