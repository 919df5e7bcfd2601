package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// createLogin makes the ordinary login and its database where they are missing. CREATEROLE is for the roles of the
// ledgers, CREATEDB for a database per tenant; it is no superuser, so row security holds for it.
func (s *Server) createLogin(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.SuperuserURL("postgres"))
	if err != nil {
		return fmt.Errorf("connect as superuser: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var role, database bool
	const q = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_database WHERE datname = $1)"
	if err := conn.QueryRow(ctx, q, Login).Scan(&role, &database); err != nil {
		return fmt.Errorf("look for role %s: %w", Login, err)
	}
	if !role {
		sql := fmt.Sprintf("CREATE ROLE %s LOGIN CREATEROLE CREATEDB PASSWORD '%s'", Login, s.folder.passwords[Login])
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create role %s: %w", Login, err)
		}
	}
	if !database {
		if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE DATABASE %s OWNER %s", Login, Login)); err != nil {
			return fmt.Errorf("create database %s: %w", Login, err)
		}
	}
	return nil
}
