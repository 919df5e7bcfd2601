package transport_test

import (
	"fmt"
	"strings"
	"testing"
)

// Each moment of the past is a history of its own to be read.
func TestOneRequestAsksAboutFewMoments(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	ask := func(moments ...any) (int, string) {
		items := make([]string, len(moments))
		for i, m := range moments {
			items[i] = fmt.Sprintf(`{"context":{"as_of":%v}}`, m)
		}
		rec := w.do("ann", "POST", "/access/v1/evaluations", fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"core.users.read"},
			"resource":{"type":"tenant","id":"acme"},"evaluations":[%s]}`, w.vars["annID"], strings.Join(items, ",")))
		return rec.Code, rec.Body.String()
	}
	if status, body := ask(1, 2, 3, 4, 5, 6, 7, 8, 1, `"8"`, "null"); status != 200 {
		t.Errorf("eight moments: %d %s", status, body)
	}
	if status, body := ask(1, 2, 3, 4, 5, 6, 7, 8, 9); status != 400 || !strings.Contains(body, `"/evaluations"`) {
		t.Errorf("nine moments: %d %s", status, body)
	}
}
