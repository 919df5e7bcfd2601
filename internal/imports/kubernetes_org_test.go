package imports

import (
	"os"
	"testing"
)

const realHistory = "../../../shared/data/kubernetes-org/history.ndjson"

func TestTheRealHistoryCanBePlanned(t *testing.T) {
	f, err := os.Open(realHistory)
	if err != nil {
		t.Skip("the history of kubernetes/org is not on this machine:", err)
	}
	defer f.Close()
	changes, err := ReadHistory(f)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := PlanHistory(changes)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != 26879 || len(plan.Orgs) != 8 {
		t.Fatalf("%d changes of %d organisations, want 26879 of 8", len(changes), len(plan.Orgs))
	}
	t.Logf("%d commands", plan.Lines())
}
