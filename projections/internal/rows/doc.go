// Package rows is what sqlc makes of sql/queries/projections: statements that write, and never read.
package rows
