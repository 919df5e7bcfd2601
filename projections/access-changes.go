package projections

import (
	"chancery/domain"
	"chancery/internal/dcb"
)

// accessChanges change no table: they are for consumers of events.
var accessChanges = feature{
	writes:  []handler{ignoring[domain.AccessChanged]()},
	objects: []object{about(func(e domain.AccessChanged) dcb.Tagger { return e.User })},
}
