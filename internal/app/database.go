package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"chancery/internal/postgres"
)

// urlFile tells programs on this machine how to reach the private database while it runs.
const urlFile = "database-url"

// database is the URL of the database to use: the configured one; else a private one, started here unless a server
// that runs already has it. Stop ends what was started; gone is closed when that ends by itself.
func database(ctx context.Context, c Config) (url string, gone <-chan struct{}, stop func(), err error) {
	if c.DatabaseURL != "" {
		return c.DatabaseURL, nil, func() {}, nil
	}
	path := filepath.Join(c.Data, urlFile)
	server, err := postgres.Start(ctx, postgres.Config{Data: filepath.Join(c.Data, "postgres"), Bin: c.PGBin, Logger: c.Log})
	if errors.Is(err, postgres.ErrInUse) && c.Join {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", nil, nil, fmt.Errorf("the private database is starting or stopping: %w", err)
		}
		return strings.TrimSpace(string(text)), nil, func() {}, nil
	}
	if err != nil {
		return "", nil, nil, err
	}
	stop = func() {
		_ = os.Remove(path) // it may never have been written
		if err := server.Stop(); err != nil {
			c.Log.Error("PostgreSQL did not stop", "error", err)
		}
	}
	url = server.URL(postgres.Login)
	if err := os.WriteFile(path, []byte(url+"\n"), 0o600); err != nil {
		stop()
		return "", nil, nil, fmt.Errorf("write %s: %w", urlFile, err)
	}
	return url, server.Done(), stop, nil
}
