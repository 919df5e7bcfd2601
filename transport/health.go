package transport

import (
	"net/http"
)

func (s *Server) healthz(c *call) error {
	return c.answer(health{Status: "ok", Version: s.config.Version})
}

// readyz is 503 until every request can be served; the reasons are in the body.
func (s *Server) readyz(c *call) error {
	reasons := s.config.Ready(c.ctx())
	if len(reasons) == 0 {
		return c.answer(health{Status: "ready", Version: s.config.Version})
	}
	c.Response().Header().Set("Retry-After", "1")
	return c.Blob(http.StatusServiceUnavailable, "application/json", encode(health{"not ready", s.config.Version, reasons}))
}

type health struct {
	Status  string   `json:"status"`
	Version string   `json:"version,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
}

func (s *Server) metrics(c *call) error {
	if s.config.Metrics == nil {
		return errNotFound
	}
	s.config.Metrics.ServeHTTP(c.Response(), c.Request())
	return nil
}
