package license

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Witness is a file that remembers the latest time that was seen, so that setting the clock back does not make a licence last longer.
// It stops who turns the clock, not who may write the file. A clock that once ran far ahead is witnessed too: then remove the file, and
// Begin again.
//
// Processes that share one may lose what one of them saw at the same time as another, and never more than that.
type Witness struct {
	Path string
}

const witnessed = "chancery-witness-1"

// Begin makes the file where there is none; one that is there stays as it is. It is for the installation of an app, not for its every
// start: who calls it always lets the file be removed.
func (w Witness) Begin(now time.Time) error {
	if _, err := os.Lstat(w.Path); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return fmt.Errorf("look for the witness: %w", err)
		}
		return nil
	}
	return w.remember(now)
}

// Check refuses a time that is more than five minutes before the latest that was seen, and remembers one that is later.
func (w Witness) Check(now time.Time) error {
	text, err := os.ReadFile(w.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s", ErrWitnessMissing, w.Path)
	}
	if err != nil {
		return fmt.Errorf("read the witness: %w", err)
	}
	latest, err := latestIn(string(text))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s", err, w.Path)
	case now.Before(latest.Add(-tolerance)):
		return fmt.Errorf("%w: it shows %s, and it was %s before", ErrClockBack, clock(now), clock(latest))
	case !now.After(latest):
		return nil
	}
	return w.remember(now)
}

// latestIn reads the words, the time and their check sum.
func latestIn(text string) (time.Time, error) {
	line, ok := strings.CutSuffix(text, "\n")
	words := strings.Split(line, " ")
	if !ok || len(words) != 3 || words[0] != witnessed || words[2] != checkSum(words[1]) {
		return time.Time{}, ErrWitnessDamaged
	}
	at, err := time.Parse(time.RFC3339Nano, words[1])
	if err != nil {
		return time.Time{}, ErrWitnessDamaged
	}
	return at, nil
}

func checkSum(at string) string {
	sum := sha256.Sum256([]byte(witnessed + " " + at))
	return hex.EncodeToString(sum[:8])
}

// remember puts a new file in the place of the old one in one step.
func (w Witness) remember(at time.Time) (err error) {
	text := at.UTC().Format(time.RFC3339Nano)
	f, err := os.CreateTemp(filepath.Dir(w.Path), filepath.Base(w.Path)+".*")
	if err != nil {
		return fmt.Errorf("write the witness: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s %s %s\n", witnessed, text, checkSum(text))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), w.Path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write the witness: %w", err)
	}
	return nil
}
