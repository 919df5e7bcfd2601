package erasures_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/erasures"
)

func line(n byte) erasures.Line {
	return erasures.Line{
		Tenant: uuid.UUID{1: n}, Subject: uuid.UUID{2: n}, Type: "user.erased", Event: uuid.UUID{3: n},
		At: time.Date(2026, 1, 2, 3, 4, int(n), 5000, time.FixedZone("elsewhere", 3600)),
	}
}

func utc(lines ...erasures.Line) []erasures.Line {
	for i := range lines {
		lines[i].At = lines[i].At.UTC()
	}
	return lines
}

func flush(t *testing.T, l *erasures.Ledger, lines ...erasures.Line) {
	t.Helper()
	l.Note(lines...)
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path string, want ...erasures.Line) {
	t.Helper()
	l := erasures.New(path)
	flush(t, l)
	if diff := cmp.Diff(utc(want...), l.Lines()); diff != "" {
		t.Errorf("the file (-want +got):\n%s", diff)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNotedStandsInTheFileOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	l := erasures.New(path)
	flush(t, l, line(1), line(2), line(1))
	flush(t, l, line(2), line(3))
	holds(t, path, line(1), line(2), line(3))
	if n := strings.Count(read(t, path), "\n"); n != 3 || l.Pending() != 0 {
		t.Errorf("%d lines, %d pending", n, l.Pending())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestProcessesShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	var wg sync.WaitGroup
	for n := range byte(8) {
		wg.Go(func() {
			l := erasures.New(path)
			for i := range byte(20) {
				l.Note(line(n*10+i), line(i)) // some of them those of others
				if err := l.Flush(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	l := erasures.New(path)
	flush(t, l)
	seen := map[uuid.UUID]bool{}
	for _, line := range l.Lines() {
		if seen[line.Event] {
			t.Errorf("%v twice", line)
		}
		seen[line.Event] = true
	}
	if len(seen) != 90 {
		t.Errorf("%d erasures, want 90", len(seen))
	}
}

func TestALastLineThatACrashCutOffIsMended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	flush(t, erasures.New(path), line(1), line(2))
	whole := read(t, path)
	first := strings.Index(whole, "\n") + 1
	for cut := first; cut < len(whole)-1; cut++ {
		write(t, path, whole[:cut])
		holds(t, path, line(1))
		if got := read(t, path); got != whole[:first] {
			t.Fatalf("cut at %d, the file says %q", cut, got)
		}
		flush(t, erasures.New(path), line(2))
		if got := read(t, path); got != whole {
			t.Fatalf("cut at %d, the file then says %q", cut, got)
		}
	}
	l := erasures.New(path)
	flush(t, l)
	write(t, path, whole+whole[:40]) // another process died while it wrote
	flush(t, l, line(3))
	holds(t, path, line(1), line(2), line(3))
}

func TestALastLineThatLacksNothingButItsEndCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	flush(t, erasures.New(path), line(1), line(2))
	whole := read(t, path)
	write(t, path, strings.TrimSuffix(whole, "\n"))
	holds(t, path, line(1), line(2))
	if got := read(t, path); got != whole {
		t.Errorf("the file says %q", got)
	}
}

func TestADamagedLineIsAnErrorThatNamesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	flush(t, erasures.New(path), line(1), line(2), line(3))
	whole := read(t, path)
	for at := range whole[:strings.LastIndex(whole, "\n")] {
		damaged := []byte(whole)
		damaged[at] ^= 1
		write(t, path, string(damaged))
		l := erasures.New(path)
		l.Note(line(4))
		err := l.Flush()
		if !errors.Is(err, erasures.ErrNotWritten) || !strings.Contains(err.Error(), "line "+string("123"[strings.Count(whole[:at], "\n")])) || l.Pending() != 1 {
			t.Fatalf("damaged at %d: %v", at, err)
		}
		if got := read(t, path); got != string(damaged) {
			t.Fatal("a damaged file was changed")
		}
	}
	for _, extra := range []string{"\n", "{}\n", strings.Replace(whole, `"sum"`, `"Sum"`, 1), strings.Replace(whole, `{`, `{"x":1,`, 1), strings.Replace(whole, `{`, `{ `, 1)} {
		write(t, path, extra)
		if err := erasures.New(path).Flush(); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", extra, err)
		}
	}
}

func TestAFileThatIsLostWhileItIsUsedIsWrittenAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	l := erasures.New(path)
	flush(t, l, line(1), line(2))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	flush(t, l, line(3))
	holds(t, path, line(3), line(1), line(2))
	write(t, path+".other", "")
	flush(t, erasures.New(path+".other"), line(9), line(1))
	if err := os.Rename(path+".other", path); err != nil {
		t.Fatal(err)
	}
	flush(t, l, line(4))
	holds(t, path, line(9), line(1), line(4), line(3), line(2))
	write(t, path, "") // emptied in place
	flush(t, l, line(5))
	if n := len(l.Lines()); n != 6 {
		t.Errorf("%d lines are left, want 6", n)
	}
}

func TestWhatCannotBeWrittenIsWrittenLater(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "not mounted yet")
	l := erasures.New(filepath.Join(folder, "erasures.log"))
	l.Note(line(1))
	for range 2 {
		if err := l.Flush(); !errors.Is(err, erasures.ErrNotWritten) || l.Pending() != 1 {
			t.Fatalf("%v, %d pending", err, l.Pending())
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	flush(t, l)
	holds(t, filepath.Join(folder, "erasures.log"), line(1))
}

// The log is held up by nobody who waits for a disk or another process.
func TestNotingDoesNotWaitForTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erasures.log")
	flush(t, erasures.New(path), line(1))
	other, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	l := erasures.New(path)
	flushed, noted := make(chan error), make(chan struct{})
	l.Note(line(2))
	go func() { flushed <- l.Flush() }()
	go func() {
		for range 10_000 {
			l.Note(line(3))
			runtime.Gosched()
		}
		close(noted)
	}()
	select {
	case <-noted:
	case <-time.After(10 * time.Second):
		t.Error("it waits for a file that another process has locked")
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	<-noted
	flush(t, l)
	holds(t, path, line(1), line(2), line(3))
}
