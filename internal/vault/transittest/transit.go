// Package transittest is a server that speaks the transit API of HashiCorp Vault and OpenBao, for tests: it checks what they check,
// answers what they answer (compared with the engine of Vault 1.21.4), and really encrypts. It stores nothing.
package transittest

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Root may do everything.
const Root = "hvs.root"

// Server has one transit engine, mounted at transit/.
type Server struct {
	URL string

	mu     sync.Mutex // owns the rest
	keys   map[string]*key
	tokens map[string]Policy
	sealed bool
	asked  []string // METHOD path, in order
}

// Policy is what a token may do: capabilities (create, update, read) by path, which may end in an asterisk.
type Policy map[string][]string

// key is one named key with all its versions; version 1 comes first.
type key struct {
	Derived       bool `json:"derived"`
	MinDecryption int  `json:"min_decryption_version"`
	MinEncryption int  `json:"min_encryption_version"`
	versions      [][]byte
}

// New starts a server for as long as the test runs.
func New(t *testing.T) *Server {
	t.Helper()
	s := &Server{keys: map[string]*key{}, tokens: map[string]Policy{Root: nil}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Key is the address of a key, as CHANCERY_KMS takes it.
func (s *Server) Key(name string) string { return s.URL + "/transit/keys/" + name }

// Allow gives a token its policy.
func (s *Server) Allow(token string, p Policy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[token] = p
}

// Revoke forgets a token.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tokens, token)
}

// Seal makes the whole server unavailable, as Vault is after a restart.
func (s *Server) Seal(sealed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed = sealed
}

// Asked returns the requests so far.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Do makes a request as root, such as POST transit/keys/NAME/rotate, and wants it to succeed.
func (s *Server) Do(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/v1/"+path, strings.NewReader(string(text)))
	r.Header.Set("X-Vault-Token", Root)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var answer struct {
		Data map[string]any `json:"data"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer) // 204 has none
	return answer.Data
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	s.asked = append(s.asked, r.Method+" "+path)
	data, refused := s.answer(r, path)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case refused != nil:
		w.WriteHeader(refused.status)
		_ = json.NewEncoder(w).Encode(map[string][]string{"errors": refused.errors})
	case data == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		_ = json.NewEncoder(w).Encode(map[string]any{
			"request_id": rand.Text(), "lease_id": "", "renewable": false, "lease_duration": 0,
			"data": data, "wrap_info": nil, "warnings": nil, "auth": nil,
		})
	}
}

type refusal struct {
	status int
	errors []string
}

func refuse(status int, text string) *refusal { return &refusal{status, []string{text}} }

func invalid(text string) *refusal { return refuse(http.StatusBadRequest, text) }

func (s *Server) answer(r *http.Request, path string) (map[string]any, *refusal) {
	if s.sealed {
		return nil, refuse(http.StatusServiceUnavailable, "Vault is sealed")
	}
	parts := strings.Split(path, "/")
	rest, mounted := strings.CutPrefix(path, "transit/")
	if !mounted {
		s.known(r)
		return nil, refuse(http.StatusNotFound, "no handler for route \""+path+"\". route entry not found.")
	}
	capability := map[string]string{http.MethodPost: "update", http.MethodPut: "update", http.MethodGet: "read", http.MethodDelete: "delete"}[r.Method]
	if parts[1] == "encrypt" && len(parts) == 3 && s.keys[parts[2]] == nil {
		capability = "create" // Vault makes the key on the way, if the policy allows it
	}
	policy, known := s.known(r)
	if !known {
		return nil, refuse(http.StatusForbidden, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
	}
	if policy != nil && !policy.allows(path, capability) {
		return nil, refuse(http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	}
	var body request
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil && r.ContentLength > 0 {
			return nil, invalid("error parsing JSON")
		}
	}
	switch words := strings.Split(rest, "/"); {
	case len(words) == 2 && words[0] == "encrypt":
		return s.encrypt(words[1], body)
	case len(words) == 2 && words[0] == "decrypt":
		return s.decrypt(words[1], body)
	case len(words) == 2 && words[0] == "rewrap":
		return s.rewrap(words[1], body)
	case len(words) >= 2 && words[0] == "keys":
		return s.manage(r.Method, words[1:], body)
	}
	return nil, refuse(http.StatusNotFound, "unsupported path")
}

func (s *Server) known(r *http.Request) (Policy, bool) {
	policy, ok := s.tokens[r.Header.Get("X-Vault-Token")]
	return policy, ok
}

func (p Policy) allows(path, capability string) bool {
	for pattern, capabilities := range p {
		prefix, open := strings.CutSuffix(pattern, "*")
		if (pattern == path || open && strings.HasPrefix(path, prefix)) && slices.Contains(capabilities, capability) {
			return true
		}
	}
	return false
}

// manage creates, reads, configures, rotates and deletes keys.
func (s *Server) manage(method string, words []string, body request) (map[string]any, *refusal) {
	k := s.keys[words[0]]
	switch what := strings.Join(words[1:], "/"); {
	case what == "" && method == http.MethodGet && k == nil:
		return nil, &refusal{http.StatusNotFound, []string{}}
	case what == "" && method == http.MethodGet:
		return map[string]any{"name": words[0], "type": "aes256-gcm96", "derived": k.Derived, "latest_version": len(k.versions),
			"min_decryption_version": k.MinDecryption, "min_encryption_version": k.MinEncryption}, nil
	case what == "" && method == http.MethodDelete:
		delete(s.keys, words[0])
	case what == "" && k == nil:
		s.create(words[0], body.Derived)
	case what == "":
	case k == nil:
		return nil, invalid("key not found")
	case what == "rotate":
		k.rotate()
	case what == "config":
		k.MinDecryption, k.MinEncryption = body.MinDecryption, body.MinEncryption
	default:
		return nil, refuse(http.StatusNotFound, "unsupported path")
	}
	return nil, nil // 204
}

func (s *Server) create(name string, derived bool) *key {
	k := &key{Derived: derived, MinDecryption: 1}
	k.rotate()
	s.keys[name] = k
	return k
}

func (k *key) rotate() {
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // never fails
	k.versions = append(k.versions, fresh)
}

// derive is the key of a version, for a context if the key wants one.
func (k *key) derive(version int, context []byte) ([]byte, *refusal) {
	if !k.Derived {
		return k.versions[version-1], nil // whatever context was given is ignored
	}
	if len(context) == 0 {
		return nil, invalid("missing 'context' for key derivation; the key was created using a derived key, which means additional, " +
			"per-request information must be included in order to perform operations with the key")
	}
	out, err := hkdf.Key(sha256.New, k.versions[version-1], nil, string(context), 32)
	if err != nil {
		return nil, refuse(http.StatusInternalServerError, err.Error())
	}
	return out, nil
}
