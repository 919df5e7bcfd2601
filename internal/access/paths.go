package access

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Target is where a request wants to go, read so that nobody behind can read it as another place. ReadTarget makes one.
type Target struct {
	method string
	host   string // in lower case, without a port
	path   string // decoded once; begins with /
	same   string // the path as prefixes are compared: without a difference of case
	ends   []int  // of the prefixes of same that end with a segment, the shortest first; no more of them than there could be
}

// mostSegments is how many segments of a path are looked at; no prefix has more.
const mostSegments = 16

// ReadTarget reads a request's method, host and address, which is a path with or without a query. What a gateway, an app and
// Chancery could read as different places is no target: dot segments, empty and doubly encoded ones, encoded separators, parameters of
// segments, dots and spaces at a segment's end, methods that are not in upper case.
func ReadTarget(method, host, address string) (Target, bool) {
	path, _, _ := strings.Cut(address, "?")
	decoded, ok := readPath(path)
	if !ok || !isMethod(method) {
		return Target{}, false
	}
	t := Target{method: method, host: readHost(host), path: decoded, same: caseless(decoded)}
	for i := 1; i < len(t.same) && len(t.ends) < mostSegments; i++ {
		if t.same[i] == '/' {
			t.ends = append(t.ends, i)
		}
	}
	if len(t.ends) < mostSegments {
		t.ends = append(t.ends, len(t.same))
	}
	return t, true
}

func readPath(path string) (decoded string, ok bool) {
	rest, rooted := strings.CutPrefix(path, "/")
	if !rooted {
		return "", false
	}
	var b strings.Builder
	segments := strings.Split(rest, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		last := i == len(segments)-1
		if err != nil || plain == "" && !last || !unambiguous(s, plain) {
			return "", false
		}
		b.WriteByte('/')
		b.WriteString(plain)
	}
	return b.String(), true
}

// unambiguous reports whether everybody reads the same in a segment, which is plain once it is decoded.
func unambiguous(s, plain string) bool {
	if plain == "" {
		return true
	}
	if end := plain[len(plain)-1]; end == '.' || end == ' ' {
		return false // some drop them; and . and .. are no names
	}
	return utf8.ValidString(plain) && !strings.ContainsFunc(plain, misread) && !strings.Contains(s, "#") &&
		!encodedDot.MatchString(s) && !encoded.MatchString(plain)
}

// misread are characters that separate or end segments for some.
func misread(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`/\;?#`, r) }

var (
	encodedDot = regexp.MustCompile(`%2[eE]`) // which nobody has to encode
	encoded    = regexp.MustCompile(`%[0-9a-fA-F]{2}`)
)

func isMethod(m string) bool {
	return m != "" && len(m) <= 20 && !strings.ContainsFunc(m, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '-' })
}

// readHost is the host without its port and without a dot at its end, in lower case.
func readHost(host string) string {
	host = strings.ToLower(host)
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.ContainsFunc(host[i+1:], func(r rune) bool { return r < '0' || r > '9' }) {
		host = host[:i]
	}
	return strings.TrimSuffix(host, ".")
}

// caseless is a text in which nothing differs by case alone, whatever rules of case somebody has.
func caseless(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' || r > '~' }) {
		return strings.ToLower(strings.ToUpper(s))
	}
	return s
}

// within reports whether the path lies under a prefix, as it is spelled. Prefixes are as in manifests: / or without / at the end.
func (t *Target) within(prefix string) bool {
	rest, under := strings.CutPrefix(t.path, strings.TrimSuffix(prefix, "/"))
	return under && (rest == "" || rest[0] == '/')
}

// prefixes are those of its path as they are compared, the longest first, / at last as an empty one.
func (t *Target) prefixes(yield func(string) bool) {
	for _, end := range slices.Backward(t.ends) {
		if p := t.same[:end]; p != "/" && !yield(p) {
			return
		}
	}
	yield("")
}
