// Command bench measures the engine on this machine, beside what PostgreSQL does by itself; nothing is asserted.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"chancery/internal/postgres"
)

func main() {
	url := flag.String("url", "", "PostgreSQL `URL` to use, whose database will be filled; empty: a private, durable one")
	span := flag.Duration("span", 5*time.Second, "how long each figure is measured")
	flag.Parse()
	if err := run(context.Background(), *url, *span); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, url string, span time.Duration) error {
	if url == "" {
		folder, err := os.MkdirTemp("", "chancery-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		s, err := postgres.Start(ctx, postgres.Config{Data: folder, Settings: map[string]string{"max_connections": "300"}})
		if err != nil {
			return err
		}
		defer s.Stop()
		url = s.URL(postgres.Login)
	}
	fmt.Println("append: 1 event, 3 tags, a condition of 2 items; beside it bare INSERT + COMMIT of the same event")
	return appendTable(ctx, url, os.Stdout, span, 1, 8, 64, 256)
}
