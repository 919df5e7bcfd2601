package eventlog

import (
	"crypto/sha256"
	"encoding/binary"
)

// TagHash is the key of a tag in core.event_tags: the first eight bytes of its SHA-256.
func TagHash(tag string) int64 {
	h := sha256.Sum256([]byte(tag))
	return int64(binary.BigEndian.Uint64(h[:]))
}

// TypeHash is the key of an event type in core.event_tags: the first four bytes of its SHA-256.
func TypeHash(name string) int32 {
	h := sha256.Sum256([]byte(name))
	return int32(binary.BigEndian.Uint32(h[:]))
}
