package projections

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// publishedEvents stand in the log alone: it is the table of events.
var publishedEvents = feature{
	writes:  []handler{{event: foreign}},
	objects: []object{{foreign, func(e dcb.Event) string { return string(e.(domain.Published).App.ID().Tag()) }}},
}
