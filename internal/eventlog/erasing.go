package eventlog

import (
	"encoding/json"

	"github.com/google/uuid"
)

// Erases tells whose data key a stored event destroys: what the trigger of migration 00030 does within the append, for a log that
// has no triggers.
func Erases(e *Raw) (subject uuid.UUID, ok bool) {
	if e.Type != "user.erased" && e.Type != "secret.version-destroyed" || e.SourceApp != "core" {
		return uuid.Nil, false
	}
	var payload struct {
		Erases uuid.UUID `json:"erases"`
	}
	err := json.Unmarshal(e.Payload, &payload)
	return payload.Erases, err == nil && payload.Erases != uuid.Nil
}
