package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Source is where a keyring lies.
type Source struct {
	// File is the key file, private to its owner. It is made if there is none.
	File string
	// Existing takes the file as it is: one that is not there is not made, and an old one is not upgraded.
	Existing bool
	// Document, if there is one, is the keyring itself; then there is no file. It is never made here, nor changed.
	Document Secret
	// KMS holds the key under which the keysets are sealed. With none they lie in the clear.
	KMS *KMS
	// Now dates new keys. Default time.Now.
	Now func() time.Time
	// Log hears that a keyring was read again, or could not be. Default silence.
	Log *slog.Logger
}

// String names the source in messages.
func (s Source) String() string {
	if s.Document.IsZero() {
		return "key file " + s.File
	}
	return "the keyring in the environment"
}

func (s Source) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// LoadKeys is OpenKeys with a file in the clear.
func LoadKeys(path string) (*Keys, error) { return OpenKeys(Source{File: path}) }

// OpenKeys reads the keyring, making the file (and its folder) if there is none. Whoever opens the same source, in whatever
// process, gets the same keys. It refuses a file that others may read.
//
// A new keyring beside an old database would be a catastrophe in slow motion: nothing opens and no claim is found taken.
// So the caller keeps Fingerprint in each database and compares it at every start.
func OpenKeys(s Source) (*Keys, error) {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	made, seen, err := s.read()
	if err != nil {
		return nil, err
	}
	s.Existing = true // who follows it later must not put other keys into the place of those that are missing for a moment
	k := &Keys{source: s}
	k.renewal.seen = seen
	k.ring.Store(made)
	return k, nil
}

// read opens the source as it is now. seen is what the file looked like, at the latest when it was read.
func (s Source) read() (*ring, fs.FileInfo, error) {
	var seen fs.FileInfo
	if s.Document.IsZero() {
		if err := s.prepare(); err != nil {
			return nil, nil, err
		}
		seen = s.look()
	}
	doc, err := s.parse()
	if err != nil {
		return nil, nil, err
	}
	if doc.Version < documentVersion {
		return nil, nil, fmt.Errorf("%s: %w", s, ErrOldVersion)
	}
	opened, err := doc.open(s.KMS)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s, err)
	}
	made, err := newRing(opened)
	if err != nil {
		return nil, nil, fmt.Errorf("%s is damaged: %w", s, err)
	}
	return made, seen, nil
}

func (s Source) parse() (document, error) {
	content := []byte(s.Document.Reveal())
	if s.Document.IsZero() {
		var err error
		if content, _, err = readPrivate(s.File); err != nil {
			return document{}, err
		}
	}
	doc, err := parseDocument(content)
	if err != nil {
		return doc, fmt.Errorf("%s is damaged: %w", s, err)
	}
	return doc, nil
}

// prepare makes the file if there is none, and upgrades an old one, unless it is to be taken as it is.
func (s Source) prepare() error {
	doc, err := s.parse()
	switch {
	case errors.Is(err, fs.ErrNotExist) && !s.Existing:
		text, err := s.NewDocument()
		if err == nil {
			err = createKeyFile(s.File, []byte(text.Reveal()))
		}
		if err != nil {
			return fmt.Errorf("make %s: %w", s, err)
		}
	case err != nil:
		return err
	case doc.Version < documentVersion && !s.Existing:
		_, err := s.Upgrade()
		return err
	}
	return nil
}

// look returns what the file looks like, or nil.
func (s Source) look() fs.FileInfo {
	info, err := os.Stat(s.File)
	if err != nil {
		return nil
	}
	return info
}

func alike(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// renewal is how far the keys have followed their source.
//
// mu owns all of it, and is held while the source is read, so that many who need the newest keyring read it once.
type renewal struct {
	mu     sync.Mutex
	seen   fs.FileInfo // the file that the ring was made of
	failed fs.FileInfo // a file that could not be read
	tried  time.Time   // when that was
}

// patience is for how long keys that need not be the newest are not compared with their source, and a source that failed
// is left alone.
const patience = time.Second

// renew reads the source again if it has changed. Keys that cannot be read, of another keyring, or of an old copy are not taken
// over.
func (k *Keys) renew() {
	k.renewal.mu.Lock()
	defer k.renewal.mu.Unlock()
	k.follow()
}

// follow is renew for the holder of the lock.
func (k *Keys) follow() {
	if !k.source.Document.IsZero() {
		return // nobody can change the environment of a process
	}
	r := &k.renewal
	now := k.source.look()
	if now == nil || alike(now, r.seen) || alike(now, r.failed) && time.Since(r.tried) < patience {
		return
	}
	made, seen, err := k.source.read()
	switch used := k.ring.Load(); {
	case err != nil:
	case fingerprint(made.claims) != fingerprint(used.claims):
		err = fmt.Errorf("%s is another one than before", k.source)
	case !made.hasPeppersOf(used):
		err = fmt.Errorf("%s lacks a pepper that is in use: it is an old copy", k.source)
	}
	if err != nil {
		r.failed, r.tried = now, time.Now()
		k.source.Log.Error("the changed keyring is not used", "error", err)
		return
	}
	r.seen, r.failed = seen, nil
	k.ring.Store(made)
	k.source.Log.Info("the keyring was read again", "kek", made.primary(), "keks", len(made.keks), "peppers", len(made.pepperIDs))
}

// current is the ring for making something new. It is at most a moment old.
func (k *Keys) current() *ring {
	now, looked := time.Now().UnixNano(), k.looked.Load()
	if now-looked > int64(patience) && k.looked.CompareAndSwap(looked, now) && k.renewal.mu.TryLock() {
		k.follow()
		k.renewal.mu.Unlock()
	}
	return k.ring.Load()
}
