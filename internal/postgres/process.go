package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

// account is who the server runs as. PostgreSQL refuses to run as root; root lends it another account.
type account struct {
	name string
	uid  int
	gid  int
	lent bool // we are root and it is another
}

// accountFor is the owner of the cluster where root finds one, else postgres or nobody; for anyone but root, themselves.
func accountFor(cluster string) (account, error) {
	if os.Geteuid() != 0 {
		return account{name: strconv.Itoa(os.Geteuid()), uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	if info, err := os.Stat(cluster); err == nil {
		if uid, gid := ownerOf(info); uid != 0 {
			return account{name: strconv.Itoa(uid), uid: uid, gid: gid, lent: true}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid) // numbers on every Unix
		gid, _ := strconv.Atoi(u.Gid)
		return account{name: name, uid: uid, gid: gid, lent: true}, nil
	}
	return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: run Chancery as an ordinary user")
}

func (a account) own(path string) error {
	if !a.lent {
		return nil
	}
	return os.Chown(path, a.uid, a.gid)
}

// reaches says whether the account may pass dir and all its parents, by their permission bits.
func (a account) reaches(dir string) bool {
	if !a.lent {
		return true // we made it, and we are the account
	}
	for {
		info, err := os.Stat(dir)
		if err != nil || !a.passes(info) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

func (a account) passes(info fs.FileInfo) bool {
	uid, gid := ownerOf(info)
	switch {
	case uid == a.uid:
		return info.Mode()&0o100 != 0
	case gid == a.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}

// prepare makes a command of ours run as the account: in its own process group (Ctrl-C in a terminal is for us, we stop
// it in order), with nothing of our environment, from a folder that everyone may enter.
func (a account) prepare(cmd *exec.Cmd) {
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = dieWithUs()
	cmd.SysProcAttr.Setpgid = true
	if a.lent {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

// command runs a program of PostgreSQL on a cluster. Where the account may not pass the cluster's parents (a checkout
// under /root) the cluster is handed over as an open file; the caller releases it once the command has started.
func (f *folder) command(program, cluster string, args ...string) (*exec.Cmd, func(), error) {
	if f.account.reaches(f.path) {
		cmd := exec.Command(program, append([]string{"-D", cluster}, args...)...) //nolint:noctx // ended in order, by Stop or by runHere, never by SIGKILL
		f.account.prepare(cmd)
		return cmd, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return nil, nil, fmt.Errorf("user %s, who runs PostgreSQL for root, may not pass all parents of %s: choose another data folder", f.account.name, f.path)
	}
	dir, err := os.Open(cluster)
	if err != nil {
		return nil, nil, fmt.Errorf("open the cluster: %w", err)
	}
	cmd := exec.Command(program, append([]string{"-D", "/proc/self/fd/3"}, args...)...) //nolint:noctx // as above
	cmd.ExtraFiles = []*os.File{dir}                                                    // becomes descriptor 3, and is inherited by all that it forks
	f.account.prepare(cmd)
	return cmd, func() { dir.Close() }, nil
}

// process is a child that we wait for. done is closed after it has been waited for.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// spawn starts a child from a thread that lives as long as the child: the kernel ties "dies with its parent" to the
// parent's thread, and Go ends idle threads.
func spawn(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // why it ended is in its log
			close(p.done)
		}
	}()
	return p, <-started
}

// runHere runs a child to its end and returns what it printed.
func runHere(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := spawn(cmd)
	if err != nil {
		return "", err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its group: initdb runs postgres
		<-p.done
		return out.String(), ctx.Err()
	}
	if !cmd.ProcessState.Success() {
		return out.String(), errors.New(cmd.ProcessState.String())
	}
	return out.String(), nil
}

// lastLines is the end of a program's output, where the reason stands, on one line.
func lastLines(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(lines[max(0, len(lines)-4):], " / ")
}

func ownerOf(info fs.FileInfo) (uid, gid int) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, -1
	}
	return int(s.Uid), int(s.Gid)
}
