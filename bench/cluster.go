package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/postgres"
	"chancery/internal/vault"
)

// cluster is the PostgreSQL of the run, with every durable setting on, in a temporary folder.
type cluster struct {
	folder string
	server *postgres.Server
	made   int
}

func startCluster(ctx context.Context) (*cluster, error) {
	folder, err := os.MkdirTemp("", "chancery-bench-")
	if err != nil {
		return nil, err
	}
	c := &cluster{folder: folder}
	if err := os.Chmod(folder, 0o711); err != nil { // the account that runs PostgreSQL for root must pass through
		return nil, errors.Join(err, c.stop())
	}
	if c.server, err = postgres.Start(ctx, postgres.Config{
		Data:     filepath.Join(folder, "postgres"),
		Settings: map[string]string{"max_connections": "400"}, // the bare inserts of 256 callers take one each
	}); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// stop leaves nothing.
func (c *cluster) stop() error {
	var err error
	if c.server != nil {
		err = c.server.Stop()
	}
	return errors.Join(err, os.RemoveAll(c.folder))
}

// database makes a fresh database and a data folder that goes with it.
func (c *cluster) database(ctx context.Context) (url, data string, err error) {
	c.made++
	name := fmt.Sprintf("bench_%d", c.made)
	conn, err := pgx.Connect(ctx, c.server.URL(postgres.Login))
	if err != nil {
		return "", "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", "", err
	}
	data = filepath.Join(c.folder, name)
	return c.server.URL(name), data, os.Mkdir(data, 0o700)
}

// inside is a database opened as the server opens it, for what is measured below HTTP.
type inside struct {
	ledger *ledger.Ledger
	log    *eventlog.PG
	store  *codec.Store
}

// open opens a database, which a server may be serving. The data folder holds the keys.
func open(ctx context.Context, url, data string, c eventlog.Config) (*inside, error) {
	l, err := ledger.Open(ctx, ledger.Config{URL: url, Migrate: true, Name: "bench"})
	if err != nil {
		return nil, err
	}
	keys, err := vault.LoadKeys(filepath.Join(data, "keys.json"))
	if err != nil {
		l.Close()
		return nil, err
	}
	in := &inside{ledger: l, log: eventlog.Open(l, c)}
	in.store = &codec.Store{Log: in.log, Vault: vault.New(vault.Config{Keys: keys, Source: l}), Catalog: domain.Catalog}
	return in, nil
}

func (in *inside) close(ctx context.Context) {
	_ = in.log.Close(context.WithoutCancel(ctx)) // cannot run out of patience
	in.ledger.Close()
}
