package transport

import (
	"errors"
	"time"

	"chancery/readmodels"
)

type statsParameters struct {
	Window string `query:"window" enum:"1h,24h,7d" description:"attempts of how long before now are counted and measured; 1h if absent"`
}

// statsWindows are the spans that may be asked for.
var statsWindows = map[string]time.Duration{"1h": time.Hour, "24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour}

var errWindow = errors.New("must be one of: 1h, 24h, 7d")

// endpointStats tells how an endpoint does: what waits for it, and what came of its attempts.
func (s *Server) endpointStats(c *call) error {
	if err := s.may(c, "core.deliveries.read"); err != nil {
		return err
	}
	if c.QueryParams().Has("as_of") { // it is about now
		return badParameter("as_of", errParameter.Error())
	}
	of, _ := readmodels.CollectionOf("deliveries")
	return s.ask(c, of.Projector, "window", func(v View, q question) error {
		if q.window == "" {
			q.window = "1h"
		}
		stats, err := v.EndpointStats(c.ctx(), c.Param("id"), statsWindows[q.window], c.now)
		if err != nil {
			return err
		}
		stats.Window = q.window
		c.position(int64(stats.Position))
		return c.answer(stats)
	})
}
