package oidc

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
)

// longestToken is the length of the longest text that is looked into.
const longestToken = 16 << 10

// Peek is the issuer that a token names, unverified: good for nothing but to find out whom to ask. False if it is no JWT.
func Peek(raw string) (issuer string, ok bool) {
	head, rest, first := strings.Cut(raw, ".")
	payload, _, second := strings.Cut(rest, ".")
	if !first || !second || len(raw) > longestToken || !strings.HasPrefix(head, "ey") {
		return "", false
	}
	text, err := base64.RawURLEncoding.DecodeString(payload)
	var s struct {
		Issuer string `json:"iss"`
	}
	if err != nil || json.Unmarshal(text, &s) != nil {
		return "", false
	}
	return s.Issuer, s.Issuer != ""
}
