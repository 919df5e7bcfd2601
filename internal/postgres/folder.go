package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// socketPathLimit is what every Unix allows in an address, without the closing NUL (macOS 103, Linux 107).
const socketPathLimit = 103

// folder is the data folder while this process holds its lock:
//
//	lock          held by the process that runs the server
//	pgpass        the passwords of both roles, 0600, in libpq's format: PGPASSFILE=… psql -h <socket> -U postgres
//	postgres.log  of the running server; postgres.log.1 of the one before
//	socket/       0700, the server account's; elsewhere under the temporary folder if the path is too long for a socket
//	data/         0700, the server account's: the cluster
//
// Both the socket folder and SCRAM keep the other users of the machine out.
type folder struct {
	path      string
	account   account
	lock      *os.File
	socket    string
	passwords map[string]string
}

func (f *folder) cluster() string { return filepath.Join(f.path, "data") }
func (f *folder) log() string     { return filepath.Join(f.path, "postgres.log") }

func openFolder(c Config) (*folder, error) {
	path, err := folderPath(c)
	if err != nil {
		return nil, err
	}
	f := &folder{path: path}
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.close(c.Throwaway))
	}
	return f, nil
}

func folderPath(c Config) (string, error) {
	if c.Throwaway {
		return throwawayFolder()
	}
	if err := os.MkdirAll(c.Data, folderMode()); err != nil {
		return "", fmt.Errorf("create the data folder: %w", err)
	}
	path, err := filepath.Abs(c.Data)
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	return filepath.EvalSymlinks(path)
}

// folderMode lets the account that root lends to the server pass through to its own folders, and nobody list them.
func folderMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o711
	}
	return 0o700
}

func (f *folder) open() error {
	var err error
	if f.lock, err = lockFile(filepath.Join(f.path, "lock")); err != nil {
		return fmt.Errorf("data folder %s: %w", f.path, err)
	}
	if f.account, err = accountFor(f.cluster()); err != nil {
		return err
	}
	if err := f.openSocket(); err != nil {
		return fmt.Errorf("create the socket folder: %w", err)
	}
	return f.openPasswords()
}

// openSocket makes the socket folder: beside the cluster where the server can reach it by a path short enough.
func (f *folder) openSocket() error {
	here := filepath.Join(f.path, "socket")
	if len(here)+len("/.s.PGSQL.")+len(port) <= socketPathLimit && f.account.reaches(f.path) {
		f.socket = here
		err := os.Mkdir(here, 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		return f.account.own(here)
	}
	dir, err := temporary("chancery-socket-", f.account)
	if err != nil {
		return err
	}
	f.socket = dir
	return f.account.own(dir)
}

func (f *folder) openPasswords() error {
	path := filepath.Join(f.path, "pgpass")
	major, err := f.major()
	if err != nil {
		return err
	}
	if major == 0 { // a file left by an interrupted creation is replaced
		text := fmt.Sprintf("*:*:*:%s:%s\n*:*:*:%s:%s\n", Superuser, rand.Text(), Login, rand.Text())
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the passwords: %w", err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the passwords of the cluster: %w", err)
	}
	f.passwords = make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if field := strings.Split(strings.TrimSpace(line), ":"); len(field) == 5 {
			f.passwords[field[3]] = field[4]
		}
	}
	if f.passwords[Superuser] == "" || f.passwords[Login] == "" {
		return fmt.Errorf("%s does not hold the passwords of %s and %s", path, Superuser, Login)
	}
	return nil
}

// major is the PostgreSQL version that made the cluster; 0 when there is none.
func (f *folder) major() (int, error) {
	text, err := os.ReadFile(filepath.Join(f.cluster(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the cluster's version: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// create runs initdb aside and renames the result, so that an interrupted creation leaves no half cluster.
// The locale is C everywhere: order and case of text MUST NOT depend on the machine.
func (f *folder) create(ctx context.Context, b Binaries, throwaway bool) error {
	aside := f.cluster() + ".new"
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("remove an unfinished cluster: %w", err)
	}
	if err := os.Mkdir(aside, 0o700); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	if err := f.account.own(aside); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	secret := filepath.Join(f.socket, "initial-password")
	if err := os.WriteFile(secret, []byte(f.passwords[Superuser]), 0o600); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	defer os.Remove(secret)
	if err := f.account.own(secret); err != nil {
		return fmt.Errorf("create the cluster: %w", err)
	}
	args := []string{
		"-U", Superuser, "-A", "scram-sha-256", "--pwfile", secret,
		"-E", "UTF8", "--locale=C", "--no-instructions", "--data-checksums",
	}
	if throwaway {
		args = append(args, "--no-sync")
	}
	cmd, release, err := f.command(b.path("initdb"), aside, args...)
	if err != nil {
		return err
	}
	defer release()
	if out, err := runHere(ctx, cmd); err != nil {
		return fmt.Errorf("create the cluster with initdb: %w: %s", err, lastLines(out))
	}
	return os.Rename(aside, f.cluster())
}

// close gives the folder up. A throwaway folder is removed.
func (f *folder) close(throwaway bool) error {
	var errs []error
	if f.socket != "" && filepath.Dir(f.socket) != f.path {
		errs = append(errs, os.RemoveAll(f.socket))
	}
	if throwaway {
		errs = append(errs, os.RemoveAll(f.path))
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}

// ErrInUse says that another running process has the data folder.
var ErrInUse = errors.New("in use by another running process")

// lockFile takes a lock that the kernel releases when this process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	l, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(l.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return l, nil
	}
	l.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, ErrInUse
	}
	return nil, err
}

const throwawayPrefix = "chancery-throwaway-"

// throwawayFolder makes a fresh folder, and removes those whose process was killed before it could.
func throwawayFolder() (string, error) {
	a, err := accountFor("")
	if err != nil {
		return "", err
	}
	dir, err := temporary(throwawayPrefix, a)
	if err != nil {
		return "", fmt.Errorf("create a throwaway folder: %w", err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), throwawayPrefix+"*"))
	for _, d := range left {
		removeAbandoned(d)
	}
	return dir, os.Chmod(dir, folderMode())
}

// removeAbandoned removes a folder of ours that nobody holds; one just made may not be locked yet.
func removeAbandoned(dir string) {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Minute {
		return
	}
	if owner, _ := ownerOf(info); owner != os.Geteuid() {
		return
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return
	}
	defer lock.Close()
	_ = os.RemoveAll(dir) // the next one tries again
}

// temporary makes a folder with a short path, all of whose parents the account may pass.
func temporary(prefix string, a account) (string, error) {
	for _, parent := range []string{os.TempDir(), "/tmp"} {
		parent, err := filepath.EvalSymlinks(parent)
		if err == nil && len(parent) < 50 && a.reaches(parent) {
			return os.MkdirTemp(parent, prefix)
		}
	}
	return "", fmt.Errorf("neither %s nor /tmp is a short path that user %s may pass", os.TempDir(), a.name)
}
