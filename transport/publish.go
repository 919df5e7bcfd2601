package transport

import (
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/cloudevents"
)

// The limits of a body. What is said of an event besides its data takes little room.
const (
	eventLimit = domain.MaxEventData + 64<<10
	batchLimit = 4 << 20
)

// publish records events of the app that the caller's token speaks for: all of them or none.
func (s *Server) publish(c *call) error {
	if c.header("Idempotency-Key") != "" {
		return badHeader("Idempotency-Key", "has no meaning here: an event's own source and id are its key")
	}
	if c.header("If-Match") != "" {
		return badHeader("If-Match", "has no meaning here: an event changes nothing")
	}
	limit := int64(eventLimit)
	if strings.HasPrefix(c.header("Content-Type"), batchedMedia) {
		limit = batchLimit
	}
	body, err := read(c, limit)
	if err != nil {
		return err
	}
	sent, err := sentEvents(c.Request().Header, body.Bytes())
	body.release()
	if err != nil {
		return err
	}
	app := domain.App(c.caller.App)
	if len(sent) == 0 {
		return s.publishNone(c, app)
	}
	orders := make([]commands.Order, len(sent))
	for i, e := range sent {
		event, err := e.published(app)
		if err != nil {
			return err
		}
		orders[i] = s.publishing(c, commands.PublishEvent{Event: event, Pointer: e.pointer})
	}
	privileged, err := s.mayPublish(c, app)
	if err != nil {
		s.note(c, orders[0], err)
		return err
	}
	for i := range orders {
		orders[i].Privileged = privileged
	}
	results, err := s.config.Commands.Publish(c.ctx(), s.config.Access.App(c.tenant, app, c.now).Number, orders)
	if err != nil {
		s.note(c, orders[0], err)
		return err
	}
	whole := commands.Result{}
	for _, r := range results {
		whole.Position = max(whole.Position, r.Position)
		whole.Events = append(whole.Events, r.Events...)
	}
	if len(results) == 1 && len(whole.Events) == 1 {
		whole.ID = whole.Events[0].ID
	}
	c.position(whole.Position)
	return c.Blob(http.StatusOK, "application/json", append(appendResult(make([]byte, 0, 256), whole), '}'))
}

// publishNone answers an empty batch, which is a valid one (JSON format for CloudEvents 1.0.2, section 4.3).
func (s *Server) publishNone(c *call, app domain.App) error {
	if _, err := s.mayPublish(c, app); err != nil {
		return err
	}
	none := commands.Result{Position: s.config.Access.Position()}
	c.position(none.Position)
	return c.Blob(http.StatusOK, "application/json", append(appendResult(nil, none), '}'))
}

// mayPublish holds that the caller is the app itself, at work in the tenant, and that neither its token nor an override keeps it from
// publishing.
func (s *Server) mayPublish(c *call, app domain.App) (privileged bool, err error) {
	q := access.Question{Tenant: c.tenant, Privilege: commands.Publishing.Privilege, Scope: app.Scope()}
	switch {
	case c.caller.Tenant != c.tenant:
		return false, domain.ErrNotTheApp
	case app == "" && c.caller.Idle == "":
		return false, domain.ErrNotTheApp
	case app == "":
		return false, s.idle(c, domain.App(c.caller.Idle))
	}
	if err = s.allowCommand(c, q); err != nil && !s.onlyNotGranted(c, q) {
		return false, err
	}
	return err == nil, nil
}

// idle says why an app is not at work in the tenant.
func (s *Server) idle(c *call, app domain.App) error {
	switch state := s.config.Access.App(c.tenant, app, c.now); {
	case !state.Enabled:
		return domain.ErrAppNotEnabled
	case !state.Works:
		return fmt.Errorf("%w: the app needs a licence", domain.ErrNotEntitled)
	}
	return domain.ErrNotTheApp // it is since the caller was identified
}

// publishing is an order that the same event always makes the same.
func (s *Server) publishing(c *call, p commands.PublishEvent) commands.Order {
	e := p.Event
	o := commands.Order{
		Spec: &commands.Publishing, Command: p, Tenant: c.tenant, Keyed: true,
		Request: domain.PublishedID(c.tenant, e.App, e.About.Source, e.About.ID),
		Rights:  s.config.Access.Rights(c.caller, c.tenant, c.now), By: c.provenance(),
	}
	e.About.Extensions = inHeaders(e.About.Extensions)
	if kind, params, _ := mime.ParseMediaType(e.About.DataContentType); kind == cloudevents.DataContentType && len(params) == 1 && strings.EqualFold(params["charset"], "utf-8") {
		e.About.DataContentType = "" // JSON is in UTF-8; SDKs say so in binary mode alone
	}
	o.Fingerprint = s.config.Fingerprint([]byte(commands.Publishing.Name), []byte(e.Type), e.Payload, e.Envelope())
	return o
}

// inHeaders are extensions as texts all (CloudEvents 1.0.2, section 3.2): binary mode has no others, and the same event may come in either.
func inHeaders(extensions jsontext.Value) jsontext.Value {
	if extensions == nil {
		return nil
	}
	var all map[string]jsontext.Value
	_ = json.Unmarshal(extensions, &all) // of our own making
	for name, v := range all {
		if v.Kind() != '"' {
			all[name] = jsontext.Value(`"` + string(v) + `"`)
		}
	}
	b, _ := json.Marshal(all, json.Deterministic(true)) // of strings
	return b
}

// Where events are published, for the description of the API.
type (
	publishedEvent struct {
		SpecVersion string `json:"specversion" required:"true" enum:"1.0"`
		ID          string `json:"id" required:"true" description:"with source, tells events apart: the same two are the same event" maxLength:"255"`
		Source      string `json:"source" required:"true" description:"a URI, or a relative reference to one" maxLength:"255"`
		Type        string `json:"type" required:"true" description:"as the app's manifest declares it"`
		Subject     string `json:"subject,omitempty" maxLength:"255"`
		Time        string `json:"time,omitempty" format:"date-time"`
		ContentType string `json:"datacontenttype,omitempty" default:"application/json" description:"a media type of JSON" maxLength:"255"`
		DataSchema  string `json:"dataschema,omitempty" format:"uri"`
		Data        any    `json:"data" required:"true" description:"JSON, 256 KiB at most; kept to the byte; null where there is nothing to say"`
	}
	binaryHeaders struct {
		SpecVersion string `header:"ce-specversion" enum:"1.0" description:"required in binary mode, as are ce-id, ce-source and ce-type; these headers have no meaning in the other modes"`
		ID          string `header:"ce-id" description:"values of headers are percent-encoded where they hold other characters than visible ones of ASCII"`
		Source      string `header:"ce-source"`
		Type        string `header:"ce-type"`
		Subject     string `header:"ce-subject"`
		Time        string `header:"ce-time" format:"date-time"`
		DataSchema  string `header:"ce-dataschema" format:"uri"`
	}
	publishedAnswer struct {
		Position string         `json:"position" required:"true" pattern:"^[0-9]+$" description:"of the last event"`
		ID       uuid.UUID      `json:"id,omitempty" description:"of the event, where there is one"`
		Events   []commandEvent `json:"events" required:"true" description:"one for each that was sent, in order; of one that was published before, as it was then"`
	}
)
