package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/strictjson"
	"chancery/readmodels"
)

// export answers with everything about a user as an archive. That it leaves is on record, durably, before its first byte.
func (s *Server) export(c *call) error {
	id, err := uuid.Parse(c.Param("id"))
	switch {
	case err != nil || id.String() != c.Param("id"):
		return errNotFound
	case c.header("Idempotency-Key") != "":
		return badHeader("Idempotency-Key", "has no meaning here: every export is recorded")
	}
	if err := noBody(c); err != nil {
		return err
	}
	o, err := s.order(c, &commands.Export, []byte(`{"id":"`+id.String()+`"}`))
	if err != nil {
		return err
	}
	o = s.keyed(c, o, "", commands.Export.Name)
	result, err := s.config.Commands.Execute(c.ctx(), o)
	if err != nil {
		s.note(c, o, err)
		return err
	}
	if err := s.wait(c, result.Position, func(ctx context.Context) error { return s.everywhere(ctx, result.Position) }); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="user-`+id.String()+`.zip"`)
	h.Set("Cache-Control", "no-store")
	c.position(result.Position)
	err = s.config.Queries.Now(c.tenant).Export(c.ctx(), domain.UserID{UUID: id}, result.Position, c.now, unhurried{c})
	if err == nil {
		return nil
	}
	if c.Response().Committed {
		s.report(c, s.problemOf(err))
		panic(http.ErrAbortHandler) // the archive ends in the middle, and the caller sees that it does
	}
	for _, name := range []string{"Content-Type", "Content-Disposition", "Cache-Control", headerPosition} {
		h.Del(name)
	}
	return err
}

// noBody admits none, or an empty object.
func noBody(c *call) error {
	if err := isJSON(c); err != nil {
		return err
	}
	body, err := read(c, strictjson.Limit)
	if err != nil {
		return err
	}
	defer body.release()
	if body.Len() == 0 {
		return nil
	}
	return decode(body.Bytes(), &struct{}{})
}

// everywhere returns once the log and every table have seen the position.
func (s *Server) everywhere(ctx context.Context, position int64) error {
	seen := map[string]bool{}
	for _, c := range readmodels.Collections {
		if seen[c.Projector] {
			continue
		}
		seen[c.Projector] = true
		if err := s.config.Queries.Wait(ctx, c.Projector, position); err != nil {
			return err
		}
	}
	return nil
}

// unhurried is an answer that may take as long as it likes, while its reader keeps reading.
type unhurried struct{ c *call }

func (u unhurried) Write(p []byte) (int, error) {
	until := time.Now().Add(time.Minute)
	if err := http.NewResponseController(u.c.Response().Writer).SetWriteDeadline(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return u.c.Response().Write(p)
}
