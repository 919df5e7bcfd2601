// Package decimal holds the numbers that travel as strings: JSON readers keep 53 bits of a number (RFC 8259, section 6). It never
// computes.
package decimal

import "strconv"

// Int64 is a number whose JSON is a string of decimal digits.
type Int64 int64

func (n Int64) String() string { return strconv.FormatInt(int64(n), 10) }

// MarshalText makes the number a JSON string.
func (n Int64) MarshalText() ([]byte, error) { return strconv.AppendInt(nil, int64(n), 10), nil }

// UnmarshalText reads it back.
func (n *Int64) UnmarshalText(b []byte) error {
	v, err := strconv.ParseInt(string(b), 10, 64)
	*n = Int64(v)
	return err
}
