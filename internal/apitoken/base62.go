package apitoken

import (
	"encoding/binary"
	"strings"
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// appendBase62 writes number, big-endian and at most 32 bytes (a multiple of 4), as exactly width digits.
func appendBase62(dst, number []byte, width int) []byte {
	var limbs [8]uint32
	n := len(number) / 4
	for i := range n {
		limbs[i] = binary.BigEndian.Uint32(number[4*i:])
	}
	start := len(dst)
	for range width {
		dst = append(dst, alphabet[0])
	}
	for i := start + width - 1; i >= start; i-- {
		var rest uint64
		for j := range n {
			rest = rest<<32 | uint64(limbs[j])
			limbs[j] = uint32(rest / 62)
			rest %= 62
		}
		dst[i] = alphabet[rest]
	}
	return dst
}

// decodeBase62 fills number from digits and reports whether they denote a value that fits: one value, one spelling.
func decodeBase62(number []byte, digits string) bool {
	clear(number)
	for _, d := range []byte(digits) {
		carry := strings.IndexByte(alphabet, d)
		if carry < 0 {
			return false
		}
		for i := len(number) - 1; i >= 0; i-- {
			carry += int(number[i]) * 62
			number[i] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	return true
}

func isBase62(digits string) bool {
	for _, d := range []byte(digits) {
		if strings.IndexByte(alphabet, d) < 0 {
			return false
		}
	}
	return true
}
