package orgtest

import (
	"testing"
	"time"

	"chancery/internal/imports"
)

func TestGeneratedHistoriesCanBePlanned(t *testing.T) {
	for seed := range uint64(20) {
		changes := Generate(seed, 800)
		if _, err := imports.PlanHistory(changes); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if end := Replay(changes, time.Now()); len(end) != 1 {
			t.Fatalf("seed %d: %d organisations", seed, len(end))
		}
	}
}
