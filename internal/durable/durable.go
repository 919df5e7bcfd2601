// Package durable makes sure of the disk where the standard library does not.
package durable

import (
	"errors"
	"os"
)

// SyncFolder returns when the names in a folder are on the disk: a file that was made, linked or renamed there is found after a crash.
func SyncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
