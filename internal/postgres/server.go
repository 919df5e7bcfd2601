// Package postgres finds, installs and runs a private PostgreSQL for one process; it knows no table and listens on no network.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Login is the ordinary role that the server process connects as, and the name of the database that it owns.
const Login = "chancery"

// Superuser is the role that initdb makes. Chancery uses it only to create Login.
const Superuser = "postgres"

// port is part of the socket's file name; nothing listens on it.
const port = "5432"

// patience is how long a shutdown or a predecessor may take before it is hurried.
const patience = time.Minute

// Config says which PostgreSQL to run.
type Config struct {
	// Data is the folder that holds everything: the cluster (data), the passwords (pgpass), the log
	// (postgres.log), the socket and a lock. It is created when missing. Empty only with Throwaway.
	Data string
	// Bin is the folder of postgres and initdb. Empty: $CHANCERY_PG_BIN, then searched, then installed.
	Bin string
	// Settings are added to, and win over, the settings chosen here.
	Settings map[string]string
	// Throwaway makes a cluster for tests in a temporary folder: nothing is durable, Stop removes it.
	// Data MUST be empty then, so that no folder of the caller's is ever removed.
	Throwaway bool
	// Logger is told what takes long, such as an installation. Nil: silence.
	Logger *slog.Logger
}

// Server is a running PostgreSQL. It ends with Stop, or by itself when this process dies in whatever way (Linux).
type Server struct {
	config Config
	folder *folder
	found  Binaries

	process *process

	stop sync.Once
	err  error // of the stop; read after stop has run
}

// Start runs PostgreSQL on c.Data, creating the cluster first if there is none, and returns when it accepts connections.
//
// The folder belongs to one process at a time: a second Start is refused while the first lives. A server left over
// from a process that was killed is stopped first. As root the server runs as the owner of an existing cluster, else
// as user postgres, else as nobody.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Throwaway == (c.Data != "") {
		return nil, errors.New("start PostgreSQL: a data folder is needed, except for a throwaway server, which makes its own")
	}
	f, err := openFolder(c)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	s := &Server{config: c, folder: f}
	if err := s.start(ctx); err != nil {
		err = fmt.Errorf("start PostgreSQL on %s: %w", f.path, err)
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	major, err := s.folder.major()
	if err != nil {
		return err
	}
	s.found, err = find(ctx, s.config, s.folder.account, major)
	if err != nil {
		return err
	}
	if err := s.folder.stopPredecessor(ctx); err != nil {
		return err
	}
	if major == 0 {
		if err := s.folder.create(ctx, s.found, s.config.Throwaway); err != nil {
			return err
		}
	}
	if err := s.run(ctx); err != nil {
		return err
	}
	return s.createLogin(ctx)
}

// URL connects to a database as the ordinary login. It contains the password: never log it.
func (s *Server) URL(database string) string {
	return s.url(Login, database)
}

// SuperuserURL connects as the superuser: for tests and for operators' tools, never for serving.
func (s *Server) SuperuserURL(database string) string {
	return s.url(Superuser, database)
}

func (s *Server) url(role, database string) string {
	q := url.Values{"host": {s.folder.socket}, "port": {port}, "sslmode": {"disable"}}
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, s.folder.passwords[role]),
		Host: "", Path: "/" + database, RawQuery: q.Encode(),
	}
	return u.String()
}

// Binaries are the programs that this server runs from.
func (s *Server) Binaries() Binaries { return s.found }

// PID is the postmaster's process id, for tests that kill it.
func (s *Server) PID() int { return s.process.cmd.Process.Pid }

// Done is closed when PostgreSQL has ended, whoever ended it.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// Stop ends PostgreSQL and waits for it: clients are disconnected, what is committed is on disk. A throwaway server is
// ended at once and its folder removed. Calling Stop again does nothing and answers the same.
func (s *Server) Stop() error {
	s.stop.Do(func() {
		if s.process != nil {
			s.err = s.end()
		}
		if err := s.folder.close(s.config.Throwaway); err != nil {
			s.err = errors.Join(s.err, err)
		}
	})
	return s.err
}

func (s *Server) end() error {
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} // fast, immediate, none of it
	if s.config.Throwaway {
		signals = signals[1:]
	}
	for _, signal := range signals {
		_ = s.process.cmd.Process.Signal(signal) // fails only when it has ended
		select {
		case <-s.process.done:
			return nil
		case <-time.After(patience):
		}
	}
	return fmt.Errorf("PostgreSQL process %d does not end", s.PID())
}

// run starts the postmaster, again while remains of a killed predecessor are still in its way.
func (s *Server) run(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	for {
		err := s.runOnce(ctx)
		if !errors.Is(err, errInTheWay) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *Server) runOnce(ctx context.Context) error {
	log, err := s.folder.openLog()
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-p", port, "-k", s.folder.socket}
	for name, value := range settings(s.config) {
		args = append(args, "-c", name+"="+value)
	}
	cmd, release, err := s.folder.command(s.found.path("postgres"), s.folder.cluster(), args...)
	if err != nil {
		return err
	}
	defer release()
	cmd.Stdout, cmd.Stderr = log, log
	s.process, err = spawn(cmd)
	if err != nil {
		return fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	return s.awaitReady(ctx)
}

// awaitReady returns when the postmaster says in its pid file that it accepts connections. Crash recovery may take
// long; only ctx limits it.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		p, err := readPostmaster(s.folder.cluster())
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if p.pid == s.PID() && p.ready {
			return nil
		}
		select {
		case <-s.process.done:
			return s.folder.whyEnded()
		case <-ctx.Done():
			return fmt.Errorf("wait for PostgreSQL to accept connections: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (b Binaries) path(name string) string { return filepath.Join(b.Dir, name) }
