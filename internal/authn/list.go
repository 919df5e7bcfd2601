package authn

import (
	"bufio"
	"bytes"
	"crypto/sha1" //nolint:gosec // the form in which lists of found passwords are published; no security rests on it
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"regexp"
	"slices"
	"unicode/utf8"
)

// List is a file of passwords that were found out, in one of two forms: a password a line, which is kept in memory as eight
// bytes each; or as Have I Been Pwned publishes them, the SHA-1 of a password in hex, then perhaps a colon and a
// count, a line, sorted, which stays on disk and is searched there. Safe for concurrent use.
type List struct {
	file *os.File // of hashes; none: a plain list
	size int64

	seed  maphash.Seed
	plain []uint64 // sorted
}

const (
	hashWidth = 2 * sha1.Size
	lineWidth = 64 // more than a hash, a colon, a count and the end of the line
	plainMost = 256 << 20
	samples   = 1000
)

var (
	hashLine = regexp.MustCompile(`^[0-9A-Fa-f]{40}(:[0-9]{1,12})?$`)
	ntlmLine = regexp.MustCompile(`^[0-9A-Fa-f]{32}(:[0-9]{1,12})?$`)
)

// OpenList opens a list and looks at it: a plain one as a whole, one of hashes at its beginning, its end, and a thousand places in
// between. It refuses what has neither form, with a sentence for the operator.
func OpenList(name string) (*List, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the list of known passwords: %w", err)
	}
	l, err := openList(file)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("the list of known passwords, %s: %w", name, err)
	}
	return l, nil
}

func openList(file *os.File) (*List, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.New("it is empty, or not a regular file")
	}
	l := &List{file: file, size: info.Size()}
	line, _, err := l.lineAt(0, 0)
	switch {
	case err != nil:
		return nil, err
	case hashLine.Match(line):
		return l, l.check()
	case ntlmLine.Match(line):
		return nil, errors.New("its lines look like NTLM hashes; take the list of SHA-1 hashes")
	case l.size > plainMost:
		return nil, fmt.Errorf("it is a plain list of more than %d MiB; make it a sorted list of SHA-1 hashes in hex", plainMost>>20)
	}
	if err := l.load(); err != nil {
		return nil, err
	}
	l.file = nil
	return l, file.Close()
}

// Close closes the file, if it is one of hashes.
func (l *List) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// Has reports whether a password is on the list. An error is one of reading.
func (l *List) Has(password string) (bool, error) {
	if l.file == nil {
		_, found := slices.BinarySearch(l.plain, maphash.String(l.seed, password))
		return found, nil
	}
	sum := sha1.Sum([]byte(password)) //nolint:gosec // as above
	want := []byte(hex.EncodeToString(sum[:]))
	low, high := int64(0), l.size // both at the beginning of a line, or the end
	for low < high {
		line, start, err := l.lineAt(low, low+(high-low)/2)
		if err != nil {
			return false, fmt.Errorf("the list of known passwords: %w", err)
		}
		if len(line) < hashWidth {
			return false, fmt.Errorf("the list of known passwords: the line at byte %d is not a hash", start)
		}
		switch bytes.Compare(want, bytes.ToLower(line[:hashWidth])) {
		case 0:
			return true, nil
		case -1:
			high = start
		default:
			low = start + int64(len(line)) + 1
			for low < high { // the line's end may be two bytes
				if next, err := l.byteAt(low); err != nil || next != '\n' {
					break
				}
				low++
			}
		}
	}
	return false, nil
}

func (l *List) byteAt(at int64) (byte, error) {
	var b [1]byte
	_, err := l.file.ReadAt(b[:], at)
	return b[0], err
}

// lineAt is the line in which a place lies, without its end, and where it begins; not before low.
func (l *List) lineAt(low, at int64) (line []byte, start int64, err error) {
	from := max(low, at-lineWidth)
	b := make([]byte, at-from+lineWidth)
	n, err := l.file.ReadAt(b, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	b = b[:n]
	here := int(at - from)
	if here > n {
		return nil, 0, io.ErrUnexpectedEOF // the file has shrunk
	}
	begin := bytes.LastIndexByte(b[:here], '\n') + 1
	b = b[begin:]
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		b = b[:end]
	}
	return bytes.TrimSuffix(b, []byte("\r")), from + int64(begin), nil
}

// check looks at lines all over a list of hashes.
func (l *List) check() error {
	var before []byte
	var last int64 = -1
	for i := range int64(samples + 1) {
		line, start, err := l.lineAt(0, (l.size-1)/samples*i+(l.size-1)%samples*i/samples)
		if err != nil {
			return err
		}
		if !hashLine.Match(line) {
			return fmt.Errorf("the line at byte %d is not a SHA-1 hash in hex, perhaps with a colon and a count", start)
		}
		line = bytes.ToLower(line[:hashWidth])
		if start != last && before != nil && bytes.Compare(before, line) >= 0 {
			return fmt.Errorf("it is not sorted: the line at byte %d belongs before an earlier one", start)
		}
		before, last = line, start
	}
	return nil
}

// load reads a plain list.
func (l *List) load() error {
	l.seed = maphash.MakeSeed()
	in := bufio.NewScanner(io.NewSectionReader(l.file, 0, l.size))
	for n := 1; in.Scan(); n++ {
		word := in.Bytes()
		if !utf8.Valid(word) || bytes.IndexByte(word, 0) >= 0 {
			return fmt.Errorf("line %d is not text: the list must be of passwords in UTF-8, or of sorted SHA-1 hashes in hex", n)
		}
		if len(word) > 0 {
			l.plain = append(l.plain, maphash.String(l.seed, normal(string(word))))
		}
	}
	slices.Sort(l.plain)
	l.plain = slices.Clip(slices.Compact(l.plain))
	return in.Err()
}
