package eventlog

import (
	"encoding/json"

	"github.com/google/uuid"
)

// Erases tells whose data key a stored event destroys: what the trigger of migrations 00030 and 00065 does within the append, for a log that
// has no triggers.
func Erases(e *Raw) (subject uuid.UUID, ok bool) {
	erasing := e.Type == "user.erased" || e.Type == "secret.version-destroyed" || e.Type == "endpoint.secret-destroyed"
	if !erasing || e.SourceApp != "core" {
		return uuid.Nil, false
	}
	var payload struct {
		Erases uuid.UUID `json:"erases"`
	}
	err := json.Unmarshal(e.Payload, &payload)
	return payload.Erases, err == nil && payload.Erases != uuid.Nil
}
