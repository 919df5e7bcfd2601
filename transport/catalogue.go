package transport

import (
	stdjson "encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/swaggest/jsonschema-go"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
)

// commandSchema is a command as callers see it.
type commandSchema struct {
	Name        string           `json:"name" description:"as in the address"`
	Description string           `json:"description"`
	Privilege   domain.Privilege `json:"privilege" description:"what the caller needs"`
	Own         bool             `json:"own,omitzero" description:"whoever lacks the privilege may do it to what is their own"`
	Signed      bool             `json:"session_required,omitzero" description:"only for those who have signed in"`
	StepUp      bool             `json:"step_up,omitzero" description:"a session needs a fresh proof of who its user is"`
	Schema      jsontext.Value   `json:"schema" description:"the JSON Schema of the body"`

	spec *commands.Spec
}

type commandList struct {
	Items []commandSchema `json:"items"`
}

func commandSchemas() ([]commandSchema, error) {
	list := make([]commandSchema, len(commands.Registry))
	for i := range commands.Registry {
		spec := &commands.Registry[i]
		r := jsonschema.Reflector{}
		r.DefaultOptions = append(r.DefaultOptions, jsonschema.InlineRefs, jsonschema.InterceptSchema(plainTypes))
		schema, err := r.Reflect(spec.Zero)
		if err != nil {
			return nil, fmt.Errorf("describe command %s: %w", spec.Name, err)
		}
		schema.WithExtraPropertiesItem("$schema", "https://json-schema.org/draft/2020-12/schema")
		text, err := stdjson.Marshal(schema) // sorts maps
		if err != nil {
			return nil, fmt.Errorf("describe command %s: %w", spec.Name, err)
		}
		list[i] = commandSchema{spec.Name, spec.Doc, spec.Privilege, spec.Own, spec.Signed, spec.StepUp, text, spec}
	}
	return list, nil
}

// catalogue lists the commands that the caller may run here.
func (s *Server) catalogue(c *call) error {
	list := commandList{Items: []commandSchema{}}
	for _, d := range s.schemas {
		if s.mayRun(c, d.spec) {
			list.Items = append(list.Items, d)
		}
	}
	return c.answer(list)
}

func (s *Server) mayRun(c *call, spec *commands.Spec) bool {
	q := c.caller.Asking(access.Question{Tenant: c.tenant, Privilege: spec.Privilege, Platform: spec.Platform}, c.now)
	if spec.Signed && c.caller.Session.IsZero() || spec.StepUp && !c.caller.Impersonation.IsZero() {
		return false
	}
	if s.config.Access.Decide(q).Allowed || spec.Own && s.onlyNotGranted(c, q) {
		return true
	}
	scoped, ok := spec.Zero.(commands.Scoped)
	if !ok {
		return false
	}
	typ, _, _ := strings.Cut(string(scoped.Scope()), ":")
	known, _ := s.config.Access.SearchResources(q, typ)
	for _, id := range known {
		q.Scope = domain.Scope(typ + ":" + id)
		if s.config.Access.Decide(q).Allowed {
			return true
		}
	}
	return false
}
