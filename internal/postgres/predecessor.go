package postgres

import (
	"context"
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

// errInTheWay: the postmaster ended because something of its predecessor still lives.
var errInTheWay = errors.New("a predecessor is still in the way")

// postmaster is what a running server writes into its cluster.
type postmaster struct {
	pid   int
	ready bool
}

// readPostmaster reads a cluster's pid file; fs.ErrNotExist when no server runs.
func readPostmaster(cluster string) (postmaster, error) {
	text, err := os.ReadFile(filepath.Join(cluster, "postmaster.pid"))
	if err != nil {
		return postmaster{}, err
	}
	var p postmaster
	lines := strings.Split(string(text), "\n")
	p.pid, _ = strconv.Atoi(lines[0]) // 0 while the file is being written
	p.ready = len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"
	return p, nil
}

// stopPredecessor ends the server of a process that was killed: we hold the folder's lock, so nobody wants it any more.
// Usually it is shutting down already. A pid file whose number now belongs to another program is removed.
func (f *folder) stopPredecessor(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	signal := syscall.SIGINT
	var signalled time.Time
	for {
		p, err := readPostmaster(f.cluster())
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for an earlier server: %w", err)
		}
		if p.pid <= 0 || !alive(p.pid) {
			return nil // PostgreSQL itself judges the file then, and what shared memory is left
		}
		if f.isStranger(p.pid) {
			return os.Remove(filepath.Join(f.cluster(), "postmaster.pid"))
		}
		now := time.Now()
		if now.After(deadline.Add(patience)) {
			return fmt.Errorf("process %d, an earlier server on this folder, does not end", p.pid)
		}
		if now.After(deadline) {
			signal = syscall.SIGQUIT // as after a power cut; what was committed stays committed
		}
		if time.Since(signalled) > 5*time.Second {
			_ = syscall.Kill(p.pid, signal)
			signalled = now
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("wait for an earlier server to end: %w", err)
		}
	}
}

// alive says that a process exists that we may signal; one that we may not is not the cluster's, as PostgreSQL judges too.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// isStranger says that a process is surely not the postmaster of this cluster: a postmaster's working folder is its
// cluster. Where that cannot be read, it says no.
func (f *folder) isStranger(pid int) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && cwd != f.cluster()
}

// openLog starts a fresh log and keeps the one before.
func (f *folder) openLog() (*os.File, error) {
	if err := os.Rename(f.log(), f.log()+".1"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("keep the earlier log: %w", err)
	}
	log, err := os.OpenFile(f.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return log, nil
}

// whyEnded is the end of the log of a server that ended before it was ready.
func (f *folder) whyEnded() error {
	text, err := os.ReadFile(f.log())
	if err != nil {
		return fmt.Errorf("PostgreSQL ended at once, and its log is unreadable: %w", err)
	}
	for _, sign := range []string{"pre-existing shared memory block", `lock file "postmaster.pid"`} {
		if strings.Contains(string(text), sign) {
			return fmt.Errorf("%w: %s", errInTheWay, lastLines(string(text)))
		}
	}
	return fmt.Errorf("PostgreSQL ended at once: %s", lastLines(string(text)))
}
