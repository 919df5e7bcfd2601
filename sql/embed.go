// Package sql holds the SQL of the project: migrations here, queries for sqlc beside them. It never runs any.
package sql

import "embed"

// Migrations are goose migrations under "migrations".
//
//go:embed migrations/*.sql
var Migrations embed.FS
