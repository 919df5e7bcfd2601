package transport

import (
	"crypto/rand"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/strictjson"
)

// command runs one command.
func (s *Server) command(c *call) error {
	spec, ok := commands.Named(c.Param("command"))
	if !ok {
		return errNotFound
	}
	key, err := idempotencyKey(c)
	if err != nil {
		return err
	}
	match, err := ifMatch(c)
	if err != nil {
		return err
	}
	if err := isJSON(c); err != nil {
		return err
	}
	body, err := read(c, strictjson.Limit)
	if err != nil {
		return err
	}
	defer body.release()
	o, err := s.order(c, spec, body.Bytes())
	if err != nil {
		return err
	}
	if match.given && !o.Matchable() {
		return badHeader("If-Match", "has no meaning for this command")
	}
	o.IfMatch = match.position
	o = s.keyed(c, o, key, spec.Name, body.Bytes())
	result, err := s.config.Commands.Execute(c.ctx(), o)
	if err != nil {
		s.note(c, o, err)
		return err
	}
	if p, ok := o.Command.(commands.Proving); ok && p.Proves() {
		s.forgive(c, c.proving().Passed())
	}
	c.position(result.Position)
	return c.Blob(200, "application/json", append(appendResult(make([]byte, 0, 256), result), '}'))
}

// order decodes a command and asks whether the caller may give it.
func (s *Server) order(c *call, spec *commands.Spec, body []byte) (commands.Order, error) {
	decoded := spec.New()
	if err := decode(body, decoded); err != nil {
		return commands.Order{}, err
	}
	o := commands.NewOrder(spec, decoded, c.tenant)
	q := access.Question{Tenant: o.Tenant, Privilege: spec.Privilege, Platform: spec.Platform}
	if scoped, ok := o.Command.(commands.Scoped); ok {
		q.Scope = scoped.Scope()
	}
	err := s.allowCommand(c, q)
	o.Privileged = err == nil
	if err != nil && (!spec.Own || !s.onlyNotGranted(c, q)) {
		s.note(c, o, err)
		return o, err
	}
	if err := s.proven(c, o); err != nil {
		s.note(c, o, err)
		return o, err
	}
	o.Rights = s.config.Access.Rights(c.caller, o.Tenant, c.now)
	o.By = c.provenance()
	return o, nil
}

// proven asks whether the caller has proven enough of who they are for the command.
func (s *Server) proven(c *call, o commands.Order) error {
	signed := !c.caller.Session.IsZero()
	switch p, proves := o.Command.(commands.Proving); {
	case o.Spec.StepUp && !c.caller.Impersonation.IsZero(): // there is nobody who could prove to be the target
		return domain.ErrImpersonating
	case o.Spec.Signed && !signed:
		return domain.ErrSessionNeeded
	case o.Spec.StepUp && (signed || c.caller.Issuer != (domain.IssuerID{})) && c.now.Sub(c.caller.AuthenticatedAt) > c.caller.ProofLasts:
		return &proofTooOld{c.caller.ProofLasts}
	case proves && p.Proves():
		return s.admit(c, c.proving().Tries())
	}
	return nil
}

// allowCommand is allow for a question about the platform, asked by one who may know of the tenant of the call.
func (s *Server) allowCommand(c *call, q access.Question) error {
	err := s.allow(c, q)
	if err != nil && q.Platform { // the tenant of the call is known to the caller, whether or not the platform is
		return domain.ErrNotAllowed
	}
	return err
}

// onlyNotGranted reports whether nothing but a grant is missing to a user of the tenant: no override denies it, and the
// token was not issued for less.
func (s *Server) onlyNotGranted(c *call, q access.Question) bool {
	q = c.caller.Asking(q, c.now)
	return !q.Platform && c.caller.Stands() == q.Tenant && s.config.Access.Decide(q).Why == access.NotGranted
}

// keyed makes an order one that the caller may repeat, if there is a key and the command allows it. Parts are what tells
// requests apart. The seed of secrets MUST NOT follow from anything that the log keeps: neither from the request id nor from the fingerprint (ADR 0006).
func (s *Server) keyed(c *call, o commands.Order, key, command string, parts ...[]byte) commands.Order {
	if key == "" || o.Spec.Anew {
		o.Fingerprint = o.Request[:]
		o.Seed = rand.Text()
		return o
	}
	o.Keyed = true
	named := [][]byte{c.tenant.UUID[:], c.caller.User.UUID[:], []byte(key)}
	if c.caller.Acting() { // who acts for somebody has keys of their own there
		named = append(named, c.caller.Delegation.UUID[:], c.caller.Impersonation.UUID[:])
	}
	o.Request = requestOf(named)
	parts = append([][]byte{[]byte(command)}, parts...)
	o.Fingerprint, o.Former = s.config.Fingerprint(parts...), commands.Fingerprint(parts...)
	o.Seed = string(commands.Fingerprint(slices.Concat([][]byte{[]byte("secret-seed")}, named)...))
	return o
}

// requestOf is the request that a key names, with whose it is: each user of each tenant has keys of their own.
func requestOf(named [][]byte) uuid.UUID {
	sum := commands.Fingerprint(slices.Concat([][]byte{[]byte("idempotency-key")}, named)...)
	id := uuid.UUID(sum[:16])
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // RFC 9562, version 8
	return id
}

const longestKey = 255

func checkKey(key string) bool { return key != "" && len(key) <= longestKey && printable(key, '!') }

const keyDetail = "must be 1 to 255 visible ASCII characters"

func idempotencyKey(c *call) (string, error) {
	given := c.Request().Header.Values("Idempotency-Key")
	if len(given) == 0 {
		return "", nil
	}
	if len(given) > 1 || !checkKey(given[0]) {
		return "", badHeader("Idempotency-Key", keyDetail)
	}
	return given[0], nil
}

// match is If-Match: refuse if the thing changed after the position; 0 for whatever position.
type match struct {
	given    bool
	position int64
}

func ifMatch(c *call) (match, error) {
	given := c.Request().Header.Values("If-Match")
	switch {
	case len(given) == 0:
		return match{}, nil
	case len(given) == 1 && given[0] == "*":
		return match{given: true}, nil
	case len(given) == 1 && len(given[0]) > 2:
		tag := given[0]
		n, ok := digits(tag[1 : len(tag)-1])
		if tag[0] == '"' && tag[len(tag)-1] == '"' && ok {
			return match{true, max(n, 1)}, nil // 0 is the tag of what never changed; event 1 is the platform's own beginning
		}
	}
	return match{}, badHeader("If-Match", `must be one position in quotation marks, such as "42", or *`)
}

// digits reads a decimal number as positions are written: without sign.
func digits(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// note puts a refusal on record. What a command is about is told only where it cannot be anything but a name.
func (s *Server) note(c *call, o commands.Order, err error) {
	refusal, ok := domain.IsRefusal(err)
	if p, found := err.(*problem); found && p == errNotFound { //nolint:errorlint // one value, never wrapped
		refusal, ok = domain.ErrNotFound, true
	}
	if !ok || s.config.Refusals == nil {
		return
	}
	object := o.Object()
	if len(object) > 128 || !printable(object, '!') {
		object = ""
	}
	s.config.Refusals.Note(c.party(), o.Spec.Name, refusal.Code, object)
}

// appendResult appends an object without its end. Everything in it but what is revealed consists of plain words.
func appendResult(b []byte, r commands.Result) []byte {
	b = append(b, `{"position":"`...)
	b = strconv.AppendInt(b, r.Position, 10)
	b = append(b, '"')
	if r.ID != uuid.Nil {
		b = append(b, `,"id":"`...)
		b = appendUUID(b, r.ID)
		b = append(b, '"')
	}
	b = append(b, `,"events":[`...)
	for i, e := range r.Events {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"position":"`...)
		b = strconv.AppendInt(b, e.Position, 10)
		b = append(b, `","id":"`...)
		b = appendUUID(b, e.ID)
		b = append(b, `","type":"`...)
		b = append(b, e.Type...)
		b = append(b, `"}`...)
	}
	b = append(b, ']')
	if r.Reveal[0] != "" {
		b = append(b, ',')
		b, _ = jsontext.AppendQuote(b, r.Reveal[0])
		b = append(b, ':')
		b, _ = jsontext.AppendQuote(b, r.Reveal[1])
	}
	return b
}

func appendUUID(b []byte, id uuid.UUID) []byte {
	out, _ := id.MarshalText() // cannot fail
	return append(b, out...)
}
