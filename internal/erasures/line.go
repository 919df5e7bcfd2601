package erasures

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// written is a line as the file has it: with the sum of itself without the sum.
type written struct {
	Line

	Sum string `json:"sum,omitempty"`
}

const sumSize = 8

func (l Line) append(to []byte) []byte {
	text, err := json.Marshal(written{l, l.sum()})
	if err != nil {
		panic(fmt.Sprintf("erasures: ids and a time do not encode: %v", err)) // years beyond 9999 aside, they do
	}
	return append(append(to, text...), '\n')
}

func (l Line) sum() string {
	text, err := json.Marshal(l)
	if err != nil {
		panic(fmt.Sprintf("erasures: ids and a time do not encode: %v", err))
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:sumSize])
}

var errDamaged = errors.New("is damaged; put the file back from a copy, or remove the line if you know what it said")

// parse reads whole lines; rest is the length of a last one without an end. Before is how many lines precede the text.
func parse(text []byte, before int) (lines []Line, rest int, err error) {
	for len(text) > 0 {
		one, after, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return lines, len(one), nil
		}
		line, err := parseLine(one)
		if err != nil {
			return nil, 0, fmt.Errorf("line %d %w", before+len(lines)+1, err)
		}
		lines, text = append(lines, line), after
	}
	return lines, 0, nil
}

// parseLine takes exactly what append wrote.
func parseLine(text []byte) (Line, error) {
	var w written
	if err := json.Unmarshal(text, &w); err != nil || w.Sum != w.sum() || !bytes.Equal(w.append(nil), append(bytes.Clone(text), '\n')) {
		return Line{}, errDamaged
	}
	return w.Line, nil
}
