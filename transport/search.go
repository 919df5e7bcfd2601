package transport

import (
	"bytes"
	"encoding/base64"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/readmodels"
)

type (
	searchRequest struct {
		evaluationRequest
		Page *searchPage `json:"page,omitzero"`
	}
	searchPage struct {
		Token     string `json:"token,omitzero" description:"next_token of the page before"`
		NextToken string `json:"next_token,omitzero" description:"the same, as drafts of the specification called it"`
		Limit     int    `json:"limit,omitzero" description:"1 to 1000"`
	}
	searchAnswer[T any] struct {
		Results []T            `json:"results"`
		Page    pageInfo       `json:"page"`
		Context *searchContext `json:"context,omitzero"`
	}
	pageInfo struct {
		NextToken string `json:"next_token" description:"empty on the last page"`
		Count     int    `json:"count" description:"of this page"`
		Total     int    `json:"total" description:"of all pages"`
	}
	searchContext struct {
		Position    *readmodels.Position `json:"position,omitzero" description:"what the answer has seen"`
		WholeTenant bool                 `json:"whole_tenant,omitzero" description:"allowed on the whole tenant, so on unknown resources too"`
	}
	found struct {
		Type string `json:"type"`
		ID   string `json:"id"`
	}
	foundAction struct {
		Name domain.Privilege `json:"name"`
	}
)

// searchSubject lists who may do something on something. What names nothing that we know of finds nothing.
func (s *Server) searchSubject(c *call) error {
	var r searchRequest
	if err := decodeOpen(c, &r); err != nil {
		return err
	}
	errs := missingEntity(nil, "/subject", r.Subject, false)
	errs = missingAction(errs, r.Action)
	if errs = missingEntity(errs, "/resource", r.Resource, true); errs != nil {
		return badBody(errs...)
	}
	if err := s.may(c, "core.access.evaluate"); err != nil {
		return err
	}
	r.Subject.ID = "" // what is searched for is not what is asked about
	return search(s, c, r, func(j Judge, q access.Question) (list []found, whole bool) {
		var known bool
		if q.Scope, known = s.scope(c, r.Resource); r.Subject.Type != "user" || !known {
			return nil, false
		}
		q.Privilege = domain.Privilege(r.Action.Name)
		for _, u := range j.SearchSubjects(q) {
			list = append(list, found{"user", u.String()})
		}
		return list, false
	})
}

// searchResource lists on what somebody may do something.
func (s *Server) searchResource(c *call) error {
	var r searchRequest
	if err := decodeOpen(c, &r); err != nil {
		return err
	}
	errs := missingEntity(nil, "/subject", r.Subject, true)
	errs = missingAction(errs, r.Action)
	if errs = missingEntity(errs, "/resource", r.Resource, false); errs != nil {
		return badBody(errs...)
	}
	if err := s.mayAsk(c, r.Subject); err != nil {
		return err
	}
	return search(s, c, r, func(j Judge, q access.Question) (list []found, whole bool) {
		q.Privilege = domain.Privilege(r.Action.Name)
		ids, whole := j.SearchResources(q, r.Resource.Type)
		for _, id := range ids {
			list = append(list, found{r.Resource.Type, id})
		}
		return list, whole
	})
}

// searchAction lists what somebody may do on something.
func (s *Server) searchAction(c *call) error {
	var r searchRequest
	if err := decodeOpen(c, &r); err != nil {
		return err
	}
	errs := missingEntity(nil, "/subject", r.Subject, true)
	if errs = missingEntity(errs, "/resource", r.Resource, true); errs != nil {
		return badBody(errs...)
	}
	if err := s.mayAsk(c, r.Subject); err != nil {
		return err
	}
	return search(s, c, r, func(j Judge, q access.Question) (list []foundAction, whole bool) {
		var known bool
		if q.Scope, known = s.scope(c, r.Resource); !known {
			return nil, false
		}
		for _, p := range j.SearchActions(q, nil) {
			list = append(list, foundAction{p})
		}
		return list, false
	})
}

const mostResults = 1000

// keyed is a result with the text by which results are sorted.
type keyed interface{ key() string }

func (f found) key() string       { return f.ID }
func (f foundAction) key() string { return string(f.Name) }

func search[T keyed](s *Server, c *call, r searchRequest, find func(Judge, access.Question) ([]T, bool)) error {
	page := searchPage{}
	if r.Page != nil {
		page = *r.Page
	}
	if page.Token == "" {
		page.Token = page.NextToken
	}
	if page.Limit < 0 || page.Limit > mostResults {
		return badBody(inputError{Pointer: "/page/limit", Detail: "must be from 1 to 1000"})
	}
	if page.Limit == 0 {
		page.Limit = mostResults
	}
	judge, at, err := s.judge(c, r.Context)
	if err != nil {
		return err
	}
	q, err := s.asked(c, judge, r.evaluationRequest, at)
	if err != nil {
		return err
	}
	position := judge.Position() // not more than the answer has seen
	all, whole := find(judge, q)
	total := len(all)
	seal := r.seal(c)
	if page.Token != "" {
		if all, err = after(all, page.Token, seal); err != nil {
			return err
		}
	}
	out := searchAnswer[T]{Results: []T{}, Page: pageInfo{Total: total}}
	if len(all) > page.Limit {
		all = all[:page.Limit]
		out.Page.NextToken = base64.RawURLEncoding.EncodeToString(append(bytes.Clone(seal), all[len(all)-1].key()...))
	}
	out.Results = append(out.Results, all...)
	out.Page.Count = len(all)
	if r.Context.placed() || whole {
		out.Context = &searchContext{WholeTenant: whole}
		if r.Context.placed() {
			out.Context.Position = new(readmodels.Position(position))
		}
	}
	c.position(position)
	return c.answer(out)
}

const sealSize = 8

// seal tells the pages of one search from those of another.
func (r searchRequest) seal(c *call) []byte {
	r.Page, r.Context = nil, nil
	return commands.Fingerprint([]byte(c.Path()), c.tenant.UUID[:], encode(r))[:sealSize]
}

// after is what stands behind the last result of the page before; the list is sorted.
func after[T keyed](all []T, token string, seal []byte) ([]T, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || !bytes.HasPrefix(text, seal) {
		return nil, badBody(inputError{Pointer: "/page/token", Detail: "is not the token of a page of this search"})
	}
	last := string(text[sealSize:])
	for i, one := range all {
		if one.key() > last {
			return all[i:], nil
		}
	}
	return nil, nil
}
