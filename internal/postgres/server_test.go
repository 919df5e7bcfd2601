package postgres

import (
	"bufio"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func TestCommittedRowsSurviveAStopAndAStart(t *testing.T) {
	data := shortFolder(t)
	s := start(t, Config{Data: data})
	exec1(t, s, "CREATE TABLE notes (id int); INSERT INTO notes VALUES (7)")
	stop(t, s)
	s = start(t, Config{Data: data})
	if got := ask(t, s, "SELECT id::text FROM notes"); got != "7" {
		t.Errorf("got %q", got)
	}
}

func TestCommittedRowsSurviveAKill(t *testing.T) {
	data := shortFolder(t)
	s := start(t, Config{Data: data})
	exec1(t, s, "CREATE TABLE notes (id int); INSERT INTO notes VALUES (7)")
	if err := syscall.Kill(s.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	stop(t, s)
	s = start(t, Config{Data: data})
	if got := ask(t, s, "SELECT id::text FROM notes"); got != "7" {
		t.Errorf("got %q", got)
	}
}

func TestTheServerRunsWithoutPrivilegesDurablyAndWithoutNetwork(t *testing.T) {
	s := start(t, Config{Data: shortFolder(t), Settings: map[string]string{"work_mem": "5MB"}})
	got := map[string]string{}
	for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes", "listen_addresses", "work_mem", "data_checksums", "is_superuser"} {
		got[name] = ask(t, s, "SELECT current_setting('"+name+"')")
	}
	want := map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": "",
		"work_mem": "5MB", "data_checksums": "on", "is_superuser": "off",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(s.PID()))
	if err != nil {
		t.Skip("no /proc on this system")
	}
	if uid, _ := ownerOf(info); uid == 0 {
		t.Error("the server runs as root")
	}
}

func TestOthersOnTheMachineStayOut(t *testing.T) {
	s := start(t, Config{Data: shortFolder(t)})
	for path, want := range map[string]fs.FileMode{s.folder.socket: 0o700, s.folder.cluster(): 0o700, filepath.Join(s.folder.path, "pgpass"): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	wrong := strings.Replace(s.URL(Login), s.folder.passwords[Login], "guess", 1)
	if conn, err := pgx.Connect(t.Context(), wrong); err == nil {
		conn.Close(t.Context())
		t.Error("a wrong password was let in")
	}
}

func TestAFolderInUseIsRefused(t *testing.T) {
	data := shortFolder(t)
	s := start(t, Config{Data: data})
	_, err := Start(t.Context(), Config{Data: data})
	if !errors.Is(err, ErrInUse) {
		t.Errorf("got %v", err)
	}
	if got := ask(t, s, "SELECT 'alive'"); got != "alive" {
		t.Errorf("the first server answers %q", got)
	}
}

func TestAThrowawayFolderIsNeverTheCallers(t *testing.T) {
	if _, err := Start(t.Context(), Config{Data: t.TempDir(), Throwaway: true}); err == nil {
		t.Error("a throwaway server took the caller's folder")
	}
	if _, err := Start(t.Context(), Config{}); err == nil {
		t.Error("a lasting server started without a folder")
	}
}

func TestStopLeavesNothingRunningAndOfAThrowawayNoFile(t *testing.T) {
	s := start(t, Config{Throwaway: true})
	folder, pid := s.folder.path, s.PID()
	if got := ask(t, s, "SELECT current_setting('fsync')"); got != "off" {
		t.Errorf("fsync of a throwaway server is %s", got)
	}
	stop(t, s)
	if alive(pid) {
		t.Error("the server is still running")
	}
	if _, err := os.Stat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	stop(t, s) // again, to no effect
}

func TestAFolderBehindClosedParentsServes(t *testing.T) {
	closed := shortFolder(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(closed, strings.Repeat("a path too long for a socket ", 5))
	s := start(t, Config{Data: data})
	exec1(t, s, "CREATE TABLE notes (id int)")
	stop(t, s)
	s = start(t, Config{Data: data})
	exec1(t, s, "INSERT INTO notes VALUES (1)")
	socket := s.folder.socket
	stop(t, s)
	if _, err := os.Stat(socket); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary socket folder is still there: %v", err)
	}
}

func TestAnInterruptedCreationIsDoneAgain(t *testing.T) {
	data := shortFolder(t)
	if err := os.MkdirAll(filepath.Join(data, "data.new", "half"), 0o700); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Data: data})
}

func TestAClusterOfAnotherVersionIsRefusedInOneSentence(t *testing.T) {
	data := shortFolder(t)
	for name, text := range map[string]string{"data/PG_VERSION": "9\n", "pgpass": "*:*:*:postgres:a\n*:*:*:chancery:b\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(data, name)), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CHANCERY_PG_BIN", "")
	_, err := Start(t.Context(), Config{Data: data})
	if err == nil || !strings.Contains(err.Error(), "needs PostgreSQL 9") {
		t.Errorf("got %v", err)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Config{Throwaway: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestTheNextStartSucceedsWhileAKilledOwnersServerStillStops(t *testing.T) {
	data := shortFolder(t)
	for range 3 {
		owner, _ := ownedByAnother(t, data)
		kill(t, owner)
		s := start(t, Config{Data: data})
		exec1(t, s, "CREATE TABLE IF NOT EXISTS notes (id int)")
		stop(t, s)
	}
}

func TestAKilledOwnersServerEndsByItself(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child that its parent died")
	}
	data := shortFolder(t)
	owner, url := ownedByAnother(t, data)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	kill(t, owner)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the server still serves: %v", err)
	}
	start(t, Config{Data: data}) // waits for its end; leaves nothing of it
}

// ownedByAnother runs this test binary again, as the process that owns a server, and returns the server's URL.
func ownedByAnother(t *testing.T, data string) (*exec.Cmd, string) {
	t.Helper()
	owner := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOwner$")
	owner.Env = append(os.Environ(), "POSTGRES_TEST_OWNER="+data)
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "postgres://") {
		t.Fatalf("the owner says %q: %v", line, err)
	}
	return owner, strings.TrimSpace(line)
}

func kill(t *testing.T, owner *exec.Cmd) {
	t.Helper()
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
}

func TestOwner(t *testing.T) {
	data := os.Getenv("POSTGRES_TEST_OWNER")
	if data == "" {
		t.Skip("only as the child that ownedByAnother runs")
	}
	s, err := Start(t.Context(), Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString(s.URL(Login) + "\n")
	select {} // until killed
}

func TestAPredecessorThatKeepsRunningIsStopped(t *testing.T) {
	data := shortFolder(t)
	s := start(t, Config{Data: data})
	// as if this process had been killed without its server noticing
	if err := syscall.Flock(int(s.folder.lock.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	old := s.Done()
	start(t, Config{Data: data})
	select {
	case <-old:
	case <-time.After(time.Minute):
		t.Error("the predecessor is still running")
	}
}

func TestAPidFileOfAnotherProgramIsNoPredecessor(t *testing.T) {
	data := shortFolder(t)
	stop(t, start(t, Config{Data: data}))
	stale := filepath.Join(data, "data", "postmaster.pid")
	if err := os.WriteFile(stale, []byte(strconv.Itoa(os.Getppid())+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, Config{Data: data})
	if err := syscall.Kill(os.Getppid(), 0); errors.Is(err, syscall.ESRCH) {
		t.Error("a stranger was killed")
	}
}

// shortFolder is a data folder that every account may reach: t.TempDir is closed to all but us.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, folderMode()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

func stop(t *testing.T, s *Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func exec1(t *testing.T, s *Server, sql string) {
	t.Helper()
	conn := connect(t, s)
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func ask(t *testing.T, s *Server, sql string) (answer string) {
	t.Helper()
	conn := connect(t, s)
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql).Scan(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func connect(t *testing.T, s *Server) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(Login))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}
