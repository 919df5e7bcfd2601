package transport

import (
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/swaggest/jsonschema-go"
	"github.com/swaggest/openapi-go"
	"github.com/swaggest/openapi-go/openapi31"
	"github.com/swaggest/swgui/v5emb"

	"chancery/commands"
	"chancery/domain"
	"chancery/readmodels"
)

// document is the description of the API.
type document struct {
	spec *openapi31.Spec
	json []byte
}

// OpenAPI is the description of the API as YAML, for the documentation.
func OpenAPI(version string) ([]byte, error) {
	d, err := describe(version)
	if err != nil {
		return nil, err
	}
	return d.spec.MarshalYAML()
}

func (s *Server) openapi(c *call) error {
	return c.Blob(http.StatusOK, "application/json", s.spec.json)
}

func (s *Server) docs() func(*call) error {
	page := v5emb.New("Chancery", "/openapi.json", "/docs")
	return func(c *call) error {
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

func describe(version string) (*document, error) {
	d := &describer{r: openapi31.NewReflector()}
	d.r.Spec.Info.WithTitle("Chancery").WithVersion(version).
		WithDescription("Who exists, who may do what, and the proof of it.")
	d.r.Spec.SetHTTPBearerTokenSecurity(bearerScheme, "chn_pat_…", "An API token.")
	d.r.DefaultOptions = append(d.r.DefaultOptions, jsonschema.InterceptSchema(plainTypes), jsonschema.InterceptDefName(plainName))
	for _, plain := range plainSamples {
		d.r.InlineDefinition(plain)
	}
	d.everything()
	d.words()
	if d.err != nil {
		return nil, fmt.Errorf("describe the API: %w", d.err)
	}
	text, err := stdjson.Marshal(d.r.Spec) // sorts maps
	if err != nil {
		return nil, fmt.Errorf("describe the API: %w", err)
	}
	return &document{d.r.Spec, text}, nil
}

const bearerScheme = "bearer"

// describer writes down operation after operation; err is the first that failed.
type describer struct {
	r   *openapi31.Reflector
	err error
}

type operation struct {
	method, path, tag, summary string
	open                       bool // no token
	request                    []any
	events                     bool // the body is of CloudEvents, in any mode
	answer                     any
	status                     int    // of the answer, where it is not 200
	lines                      bool   // the body and the answer are of lines
	media                      string // of an answer that is not JSON
	redirects                  bool   // elsewhere, in place of an answer or beside it
	parameters                 []openapi31.Parameter
}

func (d *describer) add(o operation) {
	if d.err != nil {
		return
	}
	oc, err := d.r.NewOperationContext(o.method, o.path)
	if err != nil {
		d.err = err
		return
	}
	oc.SetID(o.id())
	oc.SetSummary(o.summary)
	oc.SetTags(o.tag)
	if !o.open {
		oc.AddSecurity(bearerScheme)
	}
	if strings.Contains(o.path, "{tenant}") {
		oc.AddReqStructure(new(tenantInPath))
	}
	if strings.Contains(o.path, "{id}") {
		oc.AddReqStructure(new(idInPath))
	}
	for _, r := range o.request {
		oc.AddReqStructure(r)
	}
	if o.events {
		oc.AddReqStructure(new(publishedEvent), openapi.WithCustomize(threeModes))
	}
	o.answers(oc)
	oc.AddRespStructure(new(problem), openapi.WithContentType("application/problem+json"), func(cu *openapi.ContentUnit) {
		cu.IsDefault, cu.Description = true, "why there is no answer (RFC 9457)"
	})
	if exposed, ok := oc.(openapi31.OperationExposer); ok {
		for _, p := range o.parameters {
			exposed.Operation().Parameters = append(exposed.Operation().Parameters, p.ToParameterOrRef())
		}
	}
	if err := d.r.AddOperation(oc); err != nil {
		d.err = fmt.Errorf("%s %s: %w", o.method, o.path, err)
	}
}

// id is the name of a command, or is made of the method and the path: get-tenant-users-id.
func (o operation) id() string {
	if _, command, found := strings.Cut(o.path, "/commands/"); found {
		return command
	}
	words := strings.NewReplacer("/v1", "", "/tenants/{tenant}", "/tenant", ".well-known/", "", "{", "", "}", "", ".", "-").Replace(o.path)
	return strings.ToLower(o.method) + strings.ReplaceAll(words, "/", "-")
}

// answers describes what comes back when all is well.
func (o operation) answers(oc openapi.OperationContext) {
	if o.redirects {
		oc.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusFound))
	}
	switch {
	case o.redirects && o.answer == nil:
	case o.media != "":
		oc.AddRespStructure(o.answer, openapi.WithContentType(o.media), openapi.WithHTTPStatus(http.StatusOK))
	case o.lines:
		oc.AddReqStructure(nil, openapi.WithContentType("application/x-ndjson"))
		oc.AddRespStructure(o.answer, openapi.WithContentType("application/x-ndjson"))
	case o.answer == nil:
		oc.AddRespStructure(nil, openapi.WithHTTPStatus(http.StatusNoContent))
	case o.status != 0:
		oc.AddRespStructure(o.answer, openapi.WithHTTPStatus(o.status))
	default:
		oc.AddRespStructure(o.answer)
	}
}

type (
	tenantInPath struct {
		Tenant string `path:"tenant" description:"the id or the slug of a tenant; root is the platform"`
	}
	idInPath struct {
		ID string `path:"id" description:"the id of the thing"`
	}
	commandHeaders struct {
		Key   string `header:"Idempotency-Key" description:"the same key and body get the same answer" maxLength:"255"`
		Match string `header:"If-Match" description:"a position in quotation marks: refuse if the thing changed after it"`
	}
	readHeaders struct {
		Least string `header:"Chancery-Min-Position" description:"wait until the answer has seen this position"`
	}
	deviceHeader struct {
		Device string `header:"Chancery-Device" description:"as an earlier sign-in on this device answered it: others cannot lock it out"`
	}
	asOfParameter struct {
		AsOf string `query:"as_of" description:"answer as of this position, or this time in RFC 3339"`
	}
	pageParameters struct {
		Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" description:"items per page"`
		Cursor string `query:"cursor" description:"next of the page before"`
	}
	atomicInQuery struct {
		Atomic bool `query:"atomic" description:"all lines or none; at most 5000"`
	}
	commandAnswer struct {
		Position   readmodels.Position `json:"position" required:"true" description:"of the last event, or what the decision saw"`
		ID         uuid.UUID           `json:"id,omitempty" description:"the thing created or changed"`
		Events     []commandEvent      `json:"events" required:"true" description:"none if nothing had to change"`
		Token      string              `json:"token,omitempty" description:"of issue-token, rotate-token and start-impersonation; it is shown once"`
		Secret     string              `json:"secret,omitempty" description:"of create-endpoint for a webhook, rotate-endpoint-secret and reveal-endpoint-secret: the key that it signs with"`
		Challenge  string              `json:"challenge,omitempty" description:"of add-domain: to be put into DNS"`
		Activation string              `json:"activation,omitempty" description:"of check-out-activation: the file"`
		OTP        string              `json:"otpauth_uri,omitempty" description:"of enroll-totp: for the authenticator; it is shown once"`
		Recovery   string              `json:"recovery_codes,omitempty" description:"of issue-recovery-codes: separated by spaces; they are shown once"`
		Value      string              `json:"value,omitempty" description:"of read-secret"`
	}
	commandEvent struct {
		Position readmodels.Position `json:"position"`
		ID       uuid.UUID           `json:"id"`
		Type     string              `json:"type"`
	}
	bulkAnswer struct {
		Status int `json:"status" required:"true" description:"as if the line were sent alone; 424 if another line gave up all"`
		commandAnswer
		Problem *problem `json:"problem,omitempty"`
	}
)

func (d *describer) everything() {
	const tenant = "/v1/tenants/{tenant}"
	get, post := http.MethodGet, http.MethodPost
	d.add(operation{method: get, path: "/healthz", tag: "running", summary: "Whether the process lives.", open: true, answer: new(health)})
	d.add(operation{method: get, path: "/readyz", tag: "running", summary: "Whether requests can be served; 503 with the reasons if not.", open: true, answer: new(health)})
	d.add(operation{method: post, path: "/v1/bootstrap", tag: "principals", summary: "Make the first administrator, with the bootstrap token; works once.", request: []any{new(newAdmin)}, answer: new(firstAdmin)})
	d.add(operation{method: get, path: "/v1/me", tag: "principals", summary: "Who the caller is, and for whom.", answer: new(identity)})
	d.sessions(tenant)
	d.issuers(tenant)
	d.add(operation{method: get, path: tenant + "/commands", tag: "commands", summary: "The commands that the caller may run, with their schemas.", answer: new(commandList)})
	d.add(operation{method: post, path: tenant + "/commands", tag: "commands", summary: "Run one command a line, in order.", request: []any{new(atomicInQuery)}, answer: new(bulkAnswer), lines: true})
	for _, spec := range commands.Registry {
		d.add(operation{
			method: post, path: tenant + "/commands/" + spec.Name, tag: "commands", summary: spec.Doc,
			request: []any{new(commandHeaders), spec.Zero}, answer: new(commandAnswer),
		})
	}
	d.add(operation{method: post, path: tenant + "/events", tag: "events", summary: "Publish an event of one's own app, as a CloudEvent 1.0: structured (application/cloudevents+json), batched (application/cloudevents-batch+json, all or none), or binary (headers beside a body that is the data, in any media type of JSON). By a token of the app itself.", request: []any{new(binaryHeaders)}, events: true, answer: new(publishedAnswer)})
	d.add(operation{method: post, path: tenant + "/users/{id}/export", tag: "queries", summary: "Everything about a user as one archive; that it was taken is recorded first.", media: "application/zip"})
	d.add(operation{method: get, path: tenant + "/groups/{id}/members", tag: "queries", summary: "The members of a group; to members from other tenants those whom the tenant's policy lets them see.", request: []any{new(readHeaders), new(asOfParameter), new(pageParameters)}, answer: pageOf(readmodels.GroupMember{})})
	d.add(operation{method: get, path: tenant + "/endpoints/{id}/stats", tag: "events", summary: "How an endpoint does: what waits for it, and what came of its attempts.", request: []any{new(readHeaders), new(statsParameters)}, answer: new(readmodels.EndpointStats)})
	d.add(operation{method: get, path: tenant + "/jwks.json", tag: "licences", summary: "The keys by which what a vendor signed is verified, as a JWK Set (RFC 7517); none, whoever is asked for, if there are none.", open: true, answer: new(keySet), media: keySetMedia})
	d.add(operation{method: get, path: manifestSchemaPath, tag: "apps", summary: "The JSON Schema (draft 2020-12) of the manifests of apps.", open: true, media: schemaMedia})
	d.add(operation{method: get, path: tenant + "/tenant-apps/{id}/plan", tag: "apps", summary: "What a version of an app would bring into the tenant and take away, and all that is missing for it. The id is the name of the app, or the id that it has in the tenant.", request: []any{new(planParameters)}, answer: new(appPlan)})
	for _, c := range readmodels.Collections {
		at := tenant + "/" + c.Name
		if c.Name == "tenants" {
			at = "/v1/tenants"
		}
		d.collection(c, at)
	}
	d.pulling(tenant + "/endpoints/{id}")
	d.gateway()
	for _, prefix := range []string{"", tenant} {
		d.access(prefix + "/access/v1")
	}
	d.add(operation{method: post, path: tenant + "/access/v1/preview", tag: "access", summary: "Who would gain and who would lose what by a command? Nothing is changed.", request: []any{new(previewRequest)}, answer: new(previewAnswer)})
	d.add(operation{method: post, path: tenant + "/entitlements/check", tag: "licences", summary: "May the tenant use this of an app, and how much of it is left? Asked by the app itself, or by whoever may read entitlements.", request: []any{new(entitlementRequest)}, answer: new(entitlementAnswer)})
	d.add(operation{method: get, path: wellKnown, tag: "access", summary: "Where to ask about access (AuthZEN 1.0).", open: true, answer: new(configuration)})
	d.add(operation{method: get, path: wellKnown + "/{tenant}", tag: "access", summary: "Where to ask about access in one tenant.", open: true, answer: new(configuration)})
}

func (d *describer) issuers(tenant string) {
	get, post := http.MethodGet, http.MethodPost
	const tag, at, back = "sessions", "/oidc/{id}", callbackPath + "{id}"
	d.add(operation{method: get, path: tenant + at + "/start", tag: tag, open: true, redirects: true, summary: "Send a browser to an issuer, to sign in there.", request: []any{new(startParameters)}})
	d.add(operation{method: post, path: tenant + at + "/authorize", tag: tag, open: true, summary: "Learn where to send a user to sign in, or to link an account.", request: []any{new(authorizeBody)}, answer: new(authorizeAnswer)})
	d.add(operation{method: get, path: back, tag: tag, open: true, redirects: true, summary: "Where browsers come back to from an issuer; to be registered there as redirect URI.", request: []any{new(callbackParameters)}, answer: new(sessionAnswer)})
	d.add(operation{method: post, path: back, tag: tag, open: true, summary: "End what a program began with authorize.", request: []any{new(callbackBody)}, answer: new(sessionAnswer)})
}

func (d *describer) sessions(tenant string) {
	post := http.MethodPost
	const tag = "sessions"
	d.add(operation{method: post, path: tenant + "/sessions", tag: tag, open: true, summary: "Sign in with a password, then a second factor if there is one; or with a passkey. Whatever is wrong, the answer is the same.", request: []any{new(deviceHeader), new(signInBody)}, answer: new(sessionAnswer)})
	d.add(operation{method: post, path: tenant + "/sessions/passkey", tag: tag, open: true, summary: "Get a challenge for a passkey, to sign in without an address.", request: []any{new(struct{})}, answer: new(challengeAnswer)})
	d.add(operation{method: post, path: tenant + "/password-resets", tag: tag, open: true, status: http.StatusAccepted, summary: "Have a link mailed to whoever has an address and forgot the password. The answer does not tell whether there is such a user.", request: []any{new(resetBody)}, answer: new(resetAnswer)})
	d.add(operation{method: post, path: tenant + "/links/redeem", tag: tag, open: true, summary: "Follow a link that came by mail: choose a password and, if it is an invitation, become active. It works once.", request: []any{new(redeemBody)}, answer: new(redeemAnswer)})
	d.add(operation{method: post, path: "/v1/sessions/step-up", tag: tag, summary: "Prove once more who one is, for commands that ask for it.", request: []any{new(stepUpBody)}, answer: new(elevatedAnswer)})
	d.add(operation{method: post, path: "/v1/sessions/step-up/passkey", tag: tag, summary: "Get a challenge for one of one's own passkeys.", request: []any{new(struct{})}, answer: new(challengeAnswer)})
	d.add(operation{method: http.MethodDelete, path: "/v1/sessions/current", tag: tag, summary: "Sign out."})
	d.add(operation{method: http.MethodDelete, path: "/v1/impersonations/current", tag: tag, summary: "Stop acting as somebody else, by the token of the impersonation. It works whatever else is refused, and as often as one likes."})
	d.add(operation{method: post, path: tenant + "/credentials/passkey", tag: tag, summary: "Get a challenge to register a passkey with.", request: []any{new(struct{})}, answer: new(challengeAnswer)})
}

func (d *describer) collection(c readmodels.Collection, at string) {
	get, one := http.MethodGet, at+"/{id}"
	if c.Name == "tenants" {
		one = at + "/{tenant}"
	}
	read := func() []any { return []any{new(readHeaders), new(asOfParameter)} }
	d.add(operation{
		method: get, path: at, tag: "queries", summary: "A page of " + c.Name + ".", request: append(read(), new(pageParameters)),
		answer: pageOf(c.Item), parameters: filters(c),
	})
	d.add(operation{method: get, path: one, tag: "queries", summary: "One of " + c.Name + ".", request: read(), answer: reflect.New(reflect.TypeOf(c.Item)).Interface()})
	if c.Kind != "" {
		d.add(operation{
			method: get, path: one + "/history", tag: "queries", summary: "Every event that concerns one of " + c.Name + ", oldest first.",
			request: append(read(), new(pageParameters)), answer: pageOf(readmodels.Event{}),
		})
	}
}

// pageOf is the shape of a page of items.
func pageOf(item any) any {
	return reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Items", Type: reflect.SliceOf(reflect.TypeOf(item)), Tag: `json:"items" required:"true" nullable:"false"`},
		{Name: "Next", Type: reflect.TypeFor[string](), Tag: `json:"next,omitempty" description:"the cursor of the next page; absent on the last"`},
		{Name: "Position", Type: position, Tag: `json:"position" required:"true" description:"what the answer has seen"`},
	})).Interface()
}

func filters(c readmodels.Collection) []openapi31.Parameter {
	list := make([]openapi31.Parameter, len(c.Filters))
	for i, f := range c.Filters {
		schema := map[string]any{"type": "string"}
		switch f.Kind {
		case readmodels.UUID:
			schema["format"] = "uuid"
		case readmodels.Email:
			schema["format"] = "email"
		case readmodels.Bool:
			schema["type"] = "boolean"
		case readmodels.Text:
		}
		if len(f.OneOf) > 0 {
			schema["enum"] = f.OneOf
		}
		list[i] = openapi31.Parameter{Name: f.Name, In: openapi31.ParameterInQuery, Schema: schema}
	}
	return list
}

func (d *describer) access(at string) {
	post := http.MethodPost
	d.add(operation{method: post, path: at + "/evaluation", tag: "access", summary: "May somebody do something?", request: []any{new(evaluationRequest)}, answer: new(decision)})
	d.add(operation{method: post, path: at + "/evaluations", tag: "access", summary: "Several such questions.", request: []any{new(evaluationsRequest)}, answer: new(decisions)})
	d.add(operation{method: post, path: at + "/search/subject", tag: "access", summary: "Who may do something?", request: []any{new(searchRequest)}, answer: new(searchAnswer[found])})
	d.add(operation{method: post, path: at + "/search/resource", tag: "access", summary: "On what may somebody do something?", request: []any{new(searchRequest)}, answer: new(searchAnswer[found])})
	d.add(operation{method: post, path: at + "/search/action", tag: "access", summary: "What may somebody do?", request: []any{new(searchRequest)}, answer: new(searchAnswer[foundAction])})
}

// plainName drops the package from the name of a type.
func plainName(t reflect.Type, name string) string {
	words := strings.FieldsFunc(t.Name(), func(r rune) bool { return !isLetter(r) })
	if len(words) == 0 {
		return name
	}
	for i, w := range words {
		w = w[strings.LastIndexByte(w, '/')+1:]
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	short := words[0]
	if len(words) > 1 {
		short += "Of" + words[len(words)-1]
	}
	if commandsPackage == t.PkgPath() {
		return short + "Command"
	}
	return strings.TrimSuffix(short, "Row")
}

func isLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

var (
	commandsPackage = reflect.TypeFor[commands.AssignRole]().PkgPath()
	rawMessage      = reflect.TypeFor[stdjson.RawMessage]()
	position        = reflect.TypeFor[readmodels.Position]()
)

// plainSamples are of types that are described where they stand, so that each can say whether it may be null.
var plainSamples = []any{
	uuid.UUID{}, readmodels.Position(0), commands.TenantSeq(0), jsontext.Value{}, domain.TenantID{}, domain.DomainID{}, domain.DepartmentID{}, domain.GroupID{},
	domain.MembershipID{}, domain.PolicyID{}, domain.UserID{}, domain.IdentityID{}, domain.TokenID{}, domain.RoleID{},
	domain.AssignmentID{}, domain.OverrideID{}, domain.SecretID{}, domain.LinkID{}, domain.IssuerID{}, domain.CredentialID{}, domain.SessionID{},
	domain.DelegationID{}, domain.ImpersonationID{}, domain.InvitationID{}, domain.ApprovalID{}, domain.ConstraintID{}, domain.ReviewID{},
	domain.VendorID{}, domain.SigningKeyID{},
}

// plainTypes describes ids, positions and raw JSON as what they are outside; commands take no key but those named.
func plainTypes(p jsonschema.InterceptSchemaParams) (stop bool, err error) {
	t := p.Value.Type()
	null := t.Kind() == reflect.Pointer
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case isUUID(t):
		setType(p.Schema, null)
		p.Schema.WithFormat("uuid")
		return true, nil
	case t == position:
		setType(p.Schema, null)
		p.Schema.WithPattern("^[0-9]+$")
		return true, nil
	case t == reflect.TypeFor[commands.TenantSeq]():
		setType(p.Schema, null)
		p.Schema.AddType(jsonschema.Integer)
		p.Schema.WithPattern("^[0-9]+$").WithMinimum(0)
		return true, nil
	case t == reflect.TypeFor[jsontext.Value](), t == rawMessage:
		p.Schema.Type = nil
		return true, nil
	case p.Processed && t.Kind() == reflect.Struct && t.PkgPath() == commandsPackage:
		p.Schema.AdditionalProperties = (&jsonschema.SchemaOrBool{}).WithTypeBoolean(false)
	}
	return false, nil
}

func setType(s *jsonschema.Schema, null bool) {
	if s.WithType(jsonschema.String.Type()); null {
		s.AddType(jsonschema.Null)
	}
}

// isUUID reports whether t is a UUID, or one of the ids that embed one.
func isUUID(t reflect.Type) bool {
	id := reflect.TypeFor[uuid.UUID]()
	return t == id || t.Kind() == reflect.Struct && t.NumField() == 1 && t.Field(0).Type == id
}
