package commands

import "chancery/domain"

// InLane tells tests how many wait in a lane, and whether somebody decides in it.
func (e *Engine) InLane(t domain.TenantID, name string) (waiting int, busy bool) {
	e.lanes.mu.Lock()
	defer e.lanes.mu.Unlock()
	line, busy := e.lanes.open[lane{t, name}]
	return len(line), busy
}

// MostTogether is how many of a lane share an append.
const MostTogether = mostTogether
