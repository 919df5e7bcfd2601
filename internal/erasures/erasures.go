// Package erasures keeps the list of what was erased outside of the database, so that a restored backup brings nobody back. It
// holds ids and times, never personal data.
package erasures

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"

	"chancery/internal/durable"
)

// ErrNotWritten says that the ledger could not be written. What was erased is erased; that it was is not on record yet.
var ErrNotWritten = errors.New("the erasure ledger cannot be written")

// Line is one erasure.
type Line struct {
	Tenant  uuid.UUID `json:"tenant"`
	Subject uuid.UUID `json:"subject"` // whose data key was destroyed: a user, or the version of a secret
	Type    string    `json:"type"`    // of the event
	Event   uuid.UUID `json:"event"`
	At      time.Time `json:"at"`
}

// Ledger is the file: one line of JSON for each erasure, written once and never changed. Several processes may share it.
//
// mu owns all but noted, and is held while the file is written: so a line that one caller finds known is durable. Across
// processes a lock of the file does the same; whoever takes it reads first what others wrote. noting owns noted, and is never
// held while anything is waited for; who needs both takes mu first.
type Ledger struct {
	path string

	noting sync.Mutex
	noted  []Line // since the last Flush began

	mu      sync.Mutex
	known   map[uuid.UUID]Line // by event, from the file
	order   []uuid.UUID        // of known, as the file has them
	pending []Line             // noted before, and not durable yet
	at      int64              // up to where the file was read
	file    os.FileInfo        // to which at refers
}

// New is a ledger at a path. It reads and writes nothing yet.
func New(path string) *Ledger { return &Ledger{path: path, known: map[uuid.UUID]Line{}} }

// Note remembers erasures, to be written by the next Flush. It never waits for the file.
func (l *Ledger) Note(lines ...Line) {
	l.noting.Lock()
	defer l.noting.Unlock()
	for _, line := range lines {
		line.At = line.At.UTC()
		l.noted = append(l.noted, line)
	}
}

// take makes pending what was noted.
func (l *Ledger) take() {
	l.noting.Lock()
	defer l.noting.Unlock()
	l.pending = append(l.pending, l.noted...)
	l.noted = nil
}

// Pending is how many erasures are not on record yet.
func (l *Ledger) Pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take()
	return len(l.pending)
}

// Lines are those of the file, in its order, as of the last Flush.
func (l *Ledger) Lines() []Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := make([]Line, len(l.order))
	for i, event := range l.order {
		lines[i] = l.known[event]
	}
	return lines
}

// Flush returns when everything noted is durable in the file, and what others wrote there is known. A file that is missing is
// made, a last line that a crash cut off is removed; any other damage is an error and changes nothing.
func (l *Ledger) Flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.take()
	if len(l.pending) == 0 && l.file != nil {
		return nil
	}
	if err := l.flush(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotWritten, err)
	}
	return nil
}

func (l *Ledger) flush() error {
	f, made, err := l.open()
	if err != nil {
		return err
	}
	defer f.Close() // which unlocks
	changed, err := l.catchUp(f)
	if err != nil {
		return err
	}
	missing := l.missing()
	if len(missing) == 0 && !changed && !made {
		l.pending = nil
		return nil
	}
	var text []byte
	for _, line := range missing {
		text = line.append(text)
	}
	_, err = f.WriteAt(text, l.at)
	if err == nil {
		err = f.Sync()
	}
	if err == nil && made {
		err = durable.SyncFolder(filepath.Dir(l.path))
	}
	if err != nil {
		// What the disk has of it is unknown. A line must not be found here later and taken for durable.
		return errors.Join(err, f.Truncate(l.at))
	}
	l.learn(missing...)
	l.at += int64(len(text))
	l.pending = nil
	return nil
}

// missing are the lines that the file lacks: those noted, and after a loss of the file all that were ever in it.
func (l *Ledger) missing() []Line {
	var missing []Line
	seen := map[uuid.UUID]bool{}
	for _, line := range l.pending {
		if _, known := l.known[line.Event]; !known && !seen[line.Event] {
			seen[line.Event] = true
			missing = append(missing, line)
		}
	}
	return missing
}

// open opens and locks the file that stands at the path now, which another process or an operator may have replaced.
func (l *Ledger) open() (f *os.File, made bool, err error) {
	for {
		_, err := os.Stat(l.path)
		made = errors.Is(err, fs.ErrNotExist)
		f, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, false, err
		}
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
			return nil, false, errors.Join(err, f.Close())
		}
		here, err := f.Stat()
		if err != nil {
			return nil, false, errors.Join(err, f.Close())
		}
		there, err := os.Stat(l.path)
		if err == nil && os.SameFile(here, there) {
			l.recognise(here)
			return f, made, nil
		}
		_ = f.Close() // nothing was written
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
	}
}

// recognise begins anew where the file is another one than before, or shorter than what was read of it: all that was known is
// to be written again unless it is found there.
func (l *Ledger) recognise(f os.FileInfo) {
	if l.file != nil && os.SameFile(l.file, f) && f.Size() >= l.at {
		return
	}
	for _, event := range l.order {
		l.pending = append(l.pending, l.known[event])
	}
	clear(l.known)
	l.order, l.at, l.file = nil, 0, f
}

// catchUp reads what was added since the last time, and cuts off a last line that a crash has torn; one that lacks nothing but
// its end, as an editor may leave it, gets that. Changed says that there was something, of which only a sync of our own makes sure
// that the disk has it.
func (l *Ledger) catchUp(f *os.File) (changed bool, err error) {
	text, err := io.ReadAll(io.NewSectionReader(f, l.at, 1<<62))
	if err != nil {
		return false, err
	}
	lines, rest, err := parse(text, len(l.order))
	if err != nil {
		return false, fmt.Errorf("%s: %w", l.path, err)
	}
	l.learn(lines...)
	l.at += int64(len(text) - rest)
	if rest == 0 {
		return len(text) > 0, nil
	}
	last, err := parseLine(text[len(text)-rest:])
	if err != nil {
		return true, f.Truncate(l.at)
	}
	end := l.at + int64(rest)
	if _, err := f.WriteAt([]byte("\n"), end); err != nil {
		return false, err
	}
	l.learn(last)
	l.at = end + 1
	return true, nil
}

// learn takes lines as the file has them.
func (l *Ledger) learn(lines ...Line) {
	for _, line := range lines {
		l.order = append(l.order, line.Event)
		l.known[line.Event] = line
	}
}
