package transport

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
)

// keySet is a JWK Set (RFC 7517), as the API's description has it.
type keySet struct {
	Keys []jsontext.Value `json:"keys" required:"true" nullable:"false" description:"public Ed25519 keys (RFC 8037), the oldest first"`
}

const (
	keySetMedia = "application/jwk-set+json"
	keySetFor   = "public, max-age=60" // a revoked key is believed no longer than that
)

// jwks tells everybody by which keys a vendor's licences are verified. Of a tenant that does not exist it tells what it tells of one
// that has no keys. A tenant that is closed keeps its keys: its licences are still held.
func (s *Server) jwks(c *call) error {
	tenant, err := s.visited(c)
	if err != nil {
		return err
	}
	var keys domain.SigningKeys
	if s.config.SigningKeys != nil {
		if keys, err = s.config.SigningKeys(c.ctx(), tenant); err != nil {
			return err
		}
	}
	set := `{"keys":[` + strings.Join(keys.Trusted(), ",") + `]}`
	sum := sha256.Sum256([]byte(set))
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	header := c.Response().Header()
	header.Set("ETag", tag)
	header.Set("Cache-Control", keySetFor)
	if matches(c.Request().Header.Values("If-None-Match"), tag) {
		return c.NoContent(http.StatusNotModified)
	}
	return c.Blob(http.StatusOK, keySetMedia, []byte(set))
}
