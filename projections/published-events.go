package projections

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// publishedEvents stand in the log alone: it is the table of events.
var publishedEvents = feature{
	writes:  []handler{{event: foreign}},
	objects: []object{{foreign, func(e dcb.Event) string { return string(domain.App(e.(published).PublishedBy()).ID().Tag()) }}},
}

// published is an event of an app, read or unread: of neither does a projector see more than whose it is.
type published interface{ PublishedBy() string }
