package authn

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed known.txt
var builtIn string

// Blocklist knows passwords that attackers try first (NIST SP 800-63B-4, section 3.1.1.2).
type Blocklist struct {
	words   map[string]bool // built in; lower case, letters and digits
	longest int             // of the words
	service string
	file    *List // none: the built-in words alone
}

func newBlocklist(file, service string) (*Blocklist, error) {
	b := &Blocklist{words: map[string]bool{}, service: service}
	for line := range strings.Lines(builtIn) {
		for w := range strings.FieldsSeq(line) {
			b.words[w] = true
			b.longest = max(b.longest, len(w))
		}
	}
	if file == "" {
		return b, nil
	}
	var err error
	b.file, err = OpenList(file)
	return b, err
}

// Close closes the file.
func (b *Blocklist) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// Known reports whether a password was found out, or is little more than a word that everybody tries, a run of keys, a
// repetition, or words about its user or about us. An error says that the list of the operator cannot be read.
func (b *Blocklist) Known(password string, about ...string) (bool, error) {
	password = normal(password)
	if b.file != nil {
		for _, p := range []string{password, strings.ToLower(password)} {
			if found, err := b.file.Has(p); found || err != nil {
				return found, err
			}
		}
	}
	context := contextWords(slices.Concat(about, []string{b.service}))
	for _, read := range readings(beginning(strings.ToLower(password))) {
		if b.rest(read, context) <= littleMore {
			return true, nil
		}
	}
	return false, nil
}

// beginning is as much of a password as is looked at: the work grows with the square of it.
func beginning(password string) string {
	if r := []rune(password); len(r) > 256 {
		return string(r[:256])
	}
	return password
}

// reading is a way to read a password: what stands there, and the letters that are meant, one for one. Cost is that of what
// was left out.
type reading struct {
	typed, meant []rune
	cost         int
}

// What a letter or digit and a mark cost that no guess covers. Who tries all endings of three letters tries no more.
const (
	letterCost = 2
	markCost   = 1
	leftOut    = 4 * markCost // of all marks between letters: p-a-s-s-w-o-r-d
	littleMore = 3 * letterCost
)

// readings takes digits and marks for the letters that they look like, and marks for nothing.
func readings(password string) []reading {
	var out []reading
	for _, one := range "il" { // 1 is both
		like := map[rune]rune{'@': 'a', '4': 'a', '3': 'e', '!': one, '1': one, '0': 'o', '$': 's', '5': 's', '7': 't', '+': 't'}
		for _, keepMarks := range []bool{true, false} {
			var r reading
			for _, c := range password {
				meant, ok := like[c]
				if !ok {
					meant = c
				}
				if isMark(c) && !keepMarks {
					r.cost = min(r.cost+markCost, leftOut)
					continue
				}
				r.typed, r.meant = append(r.typed, c), append(r.meant, meant)
			}
			out = append(out, r.once())
		}
	}
	return out
}

// once is a reading of what a password says over and over, if that is more than repetition sees.
func (r reading) once() reading {
	for n := longestPeriod + 1; n <= len(r.typed)/2; n++ {
		if len(r.typed)%n == 0 && slices.Equal(r.typed[n:], r.typed[:len(r.typed)-n]) {
			return reading{r.typed[:n], r.meant[:n], r.cost}
		}
	}
	return r
}

func isMark(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) }

// rest is the least cost of what stays when the password is covered with guesses: any words about the user, runs and
// repetitions, and one of the words that everybody tries. Without any guess it is more than a little.
func (b *Blocklist) rest(r reading, context [][]rune) int {
	n := len(r.typed)
	// Of the text from each place on; with spare 1 a word that everybody tries may still be used.
	var best [2][]covered
	for spare := range best {
		best[spare] = make([]covered, n+1)
		for i := n - 1; i >= 0; i-- {
			least := best[spare][i+1]
			least.cost += costOf(r.typed[i])
			for _, length := range guesses(r, i, context) {
				least = least.or(best[spare][i+length])
			}
			for length := 4; spare == 1 && length <= min(b.longest, n-i); length++ {
				if b.words[string(r.typed[i:i+length])] || b.words[string(r.meant[i:i+length])] {
					least = least.or(best[0][i+length])
				}
			}
			best[spare][i] = least
		}
	}
	if !best[1][0].guessed {
		return littleMore + 1
	}
	return best[1][0].cost + r.cost
}

// covered is a way to cover a text with guesses.
type covered struct {
	cost    int // of what is not
	guessed bool
}

// or takes a guess in front of the next text, if that is no worse.
func (c covered) or(next covered) covered {
	if next.cost <= c.cost {
		return covered{next.cost, true}
	}
	return c
}

func costOf(c rune) int {
	if isMark(c) {
		return markCost
	}
	return letterCost
}

// guesses are the lengths of what can be guessed at a place, but for the words that everybody tries.
func guesses(r reading, i int, context [][]rune) (lengths []int) {
	for _, length := range []int{run(r.typed[i:]), repetition(r.typed[i:]), year(r.typed[i:])} {
		if length > 0 {
			lengths = append(lengths, length)
		}
	}
	for _, w := range context {
		if starts(r.typed[i:], w) || starts(r.meant[i:], w) {
			lengths = append(lengths, len(w))
		}
	}
	return lengths
}

func starts(text, word []rune) bool {
	return len(text) >= len(word) && slices.Equal(text[:len(word)], word)
}

// keyboard are the rows and columns of keys that fingers run along.
var keyboard = []string{"1234567890", "qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm", "azertyuiop", "qsdfghjklm",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm", "1q2w3e4r5t6y7u8i9o0p", "!@#$%^&*()"}

// run is the length of the run of keys or of the alphabet, either way, with which a text begins; 0 if it is under 3.
func run(text []rune) int {
	longest := 0
	for _, step := range []rune{1, -1} {
		n := 1
		for n < len(text) && text[n]-text[n-1] == step {
			n++
		}
		longest = max(longest, n)
	}
	for _, row := range keyboard {
		keys := []rune(row)
		for range 2 {
			if at := slices.Index(keys, first(text)); at >= 0 {
				n := 0
				for n < len(text) && at+n < len(keys) && text[n] == keys[at+n] {
					n++
				}
				longest = max(longest, n)
			}
			slices.Reverse(keys)
		}
	}
	if longest < 3 {
		return 0
	}
	return longest
}

func first(text []rune) rune {
	if len(text) == 0 {
		return utf8.RuneError
	}
	return text[0]
}

const longestPeriod = 4

// repetition is the length of what begins a text as a few characters over and over; 0 if it is under 4.
func repetition(text []rune) int {
	longest := 0
	for period := 1; period <= longestPeriod; period++ {
		n := period
		for n < len(text) && text[n] == text[n-period] {
			n++
		}
		if n >= max(4, 2*period) {
			longest = max(longest, n)
		}
	}
	return longest
}

// year is 4 if a text begins with a year that people live in.
func year(text []rune) int {
	if len(text) < 4 || !unicode.IsDigit(text[2]) || !unicode.IsDigit(text[3]) {
		return 0
	}
	if century := string(text[:2]); century == "19" || century == "20" {
		return 4
	}
	return 0
}

// contextWords are the words of texts about a user, forwards and backwards, and each text without its gaps.
func contextWords(about []string) [][]rune {
	var out [][]rune
	add := func(word string) {
		w := []rune(word)
		if len(w) < 3 || slices.ContainsFunc(out, func(o []rune) bool { return slices.Equal(o, w) }) {
			return
		}
		out = append(out, w)
		back := slices.Clone(w)
		slices.Reverse(back)
		out = append(out, back)
	}
	for _, text := range about {
		local, _, _ := strings.Cut(text, "@")
		for _, part := range []string{text, local} {
			words := strings.FieldsFunc(strings.ToLower(normal(part)), isMark)
			add(strings.Join(words, ""))
			for _, w := range words {
				add(w)
			}
		}
	}
	return out
}
