package vault

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"chancery/internal/durable"
)

// readPrivate also tells whose the file is that it read, and its mode.
func readPrivate(path string) ([]byte, fs.FileInfo, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read the key file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("read the key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("key file %s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, nil, fmt.Errorf("key file %s is open to other users of this machine (mode %04o); "+
			"make it private with: chmod 600 %s", path, mode, path)
	}
	content, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read the key file: %w", err)
	}
	return content, info, nil
}

// editKeyFile replaces the file's content by what edit makes of it, whole and durably; owner and mode stay. Those who edit wait
// for each other, in whatever process; those who read see the old file or the new one.
func editKeyFile(path string, edit func(content []byte) ([]byte, error)) error {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("read the key file: %w", err)
	}
	lock, err := openLock(path + ".lock")
	if err != nil {
		return fmt.Errorf("lock the key file: %w", err)
	}
	defer lock.Close() // which unlocks; the file stays, since others may wait for this very one
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the key file: %w", err)
	}
	content, before, err := readPrivate(path)
	if err != nil {
		return err
	}
	content, err = edit(content)
	if err != nil {
		return err
	}
	err = errors.Join(belong(lock, before), replace(path, content, before))
	if err != nil {
		return fmt.Errorf("write the key file: %w", err)
	}
	return nil
}

// openLock opens no link: root gives the file away, and who owns the folder could have put one there to any file.
func openLock(path string) (*os.File, error) {
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := lock.Stat()
	if err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); !info.Mode().IsRegular() || ok && s.Nlink != 1 {
			err = fmt.Errorf("%s is not a file of its own", path)
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// belong gives a file the owner of another, so that root may rotate the keys of a server that is not.
func belong(file *os.File, like fs.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid))
}

// createKeyFile puts a complete, durable file in place, or leaves the one that another process put there first: a link
// fails where a rename would replace the file that the other process already uses.
func createKeyFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// replace puts a file of the same owner and mode in the place of another, for the holder of the lock. Keys that one who was killed
// left half-way there, which may be retired or in the clear by now, it takes away.
func replace(path string, content []byte, like fs.FileInfo) error {
	name := path + ".edited"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temp, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = temp.Write(content)
	err = errors.Join(err, belong(temp, like), temp.Chmod(like.Mode().Perm()), temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return durable.SyncFolder(filepath.Dir(path))
}
