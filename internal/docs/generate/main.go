// Command generate writes the documents that follow from the code; run it from internal/docs. It is no part of the program.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"chancery/internal/docs"
)

const root = "../.."

func main() {
	if err := generate(); err != nil {
		fmt.Fprintln(os.Stderr, "generate the documents:", err)
		os.Exit(1)
	}
}

func generate() error {
	all, err := docs.All(root)
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := os.WriteFile(filepath.Join(root, d.Path), d.Text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
