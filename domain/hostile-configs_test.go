package domain_test

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/domain"
)

func listOf(n int, each string) string { return strings.TrimSuffix(strings.Repeat(each+",", n), ",") }

// spent is what f takes, and how much it asks for.
func spent(f func()) (time.Duration, uint64) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := time.Now()
	f()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return took, (after.TotalAlloc - before.TotalAlloc) >> 20
}

// TestAHostileConfigurationTakesLittle: what a schema does to each value, times the values, is bounded as well.
func TestAHostileConfigurationTakesLittle(t *testing.T) {
	applied := func(n, m int, what string) string {
		return `"$defs":{"d":{"allOf":[` + listOf(m, what) + `]}},"properties":{"a":{"type":"array","items":{"allOf":[` + listOf(n, `{"$ref":"#/$defs/d"}`) + `]}}}`
	}
	list := func(n int, each string) string { return `{"a":[` + listOf(n, each) + `]}` }
	long := strings.Repeat("k", 30000)
	for name, c := range map[string]struct {
		schema, config string
		fits           bool
	}{
		"much of every value, and all wrong":  {applied(45, 40, `{"type":"string"}`), list(2000, "1"), false},
		"much of every value, and all right":  {applied(45, 40, `{"type":"number"}`), list(2000, "1"), false},
		"as much as fits":                     {applied(5, 5, `{"type":"string"}`), list(1000, "1"), true},
		"lists of what must be":               {applied(45, 1, `{"required":[`+numbered("x", 500)+`]}`), list(2000, "{}"), false},
		"lists of what may be":                {applied(45, 1, `{"enum":[`+numbered("", 500)+`]}`), list(2000, "1e308"), false},
		"what depends":                        {applied(45, 1, `{"dependentRequired":{"x":[`+numbered("x", 500)+`]}}`), list(2000, `{"x":1}`), false},
		"long fractions":                      {applied(45, 40, `{"multipleOf":5e-324}`), list(900, "1.7976931348623157e308"), false},
		"lists that hold nothing twice":       {applied(45, 40, `{"uniqueItems":true}`), list(1, `[`+listOf(19, `[`+listOf(150, "1e300")+`]`)+`]`), false},
		"what nothing else judged":            {applied(45, 10, `{"unevaluatedItems":{"type":"string"}}`), list(1, `[`+listOf(9000, "1")+`]`), false},
		"names":                               {`"propertyNames":{"allOf":[` + listOf(300, `{"minLength":9}`) + `]}`, `{` + keys(3000) + `}`, false},
		"patterns of a long text":             {`"properties":{"a":{"allOf":[` + listOf(80, `{"pattern":"(a|b|ab)*x{9}"}`) + `]}}`, `{"a":"` + strings.Repeat("ab", 30000) + `"}`, false},
		"patterns of long names":              {`"patternProperties":{"(a|b|ab)*x{900}":{}}`, `{"` + strings.Repeat("ab", 30000) + `":1}`, false},
		"a long way to what is wrong":         {`"additionalProperties":` + below(15, 25, `{"type":"string"}`), `{"` + long + `":[` + listOf(50, "1") + `]}`, true},
		"a long way to what is secret":        {`"additionalProperties":` + below(15, 25, `{"x-secret":true}`), `{"` + long + `":[` + listOf(50, `"secret://a/b"`) + `]}`, true},
		"an ordinary schema of a long list":   {`"properties":{"a":{"type":"array","items":{"type":"object","required":["x","y"],"additionalProperties":false,"properties":{"x":{"type":"string","pattern":"^[a-z]{1,20}$"},"y":{"enum":["a","b","c"]}}}}}`, list(1500, `{"x":"abcdefgh","y":"c"}`), true},
		"a large ordinary schema, all of it ": {`"properties":{` + numberedKeys(300, `{"type":"string","minLength":1}`) + `}`, `{` + keys(400) + `}`, true},
	} {
		m, _, _, err := domain.ParseManifest([]byte(`{"app":"a","version":"1.0.0","config":{"type":"object",` + c.schema + `}}`))
		if err != nil {
			t.Errorf("%s: %.300v", name, err)
			continue
		}
		var is domain.AppConfig
		took, mb := spent(func() { is = domain.JudgeConfig(m, jsontext.Value(c.config)) })
		t.Logf("%s: %v, %d MB", name, took, mb)
		if mb > 100 {
			t.Errorf("%s took %d MB", name, mb)
		}
		tooMuch := len(is.Wrong) == 1 && is.Wrong[0].Pointer == "/config" && strings.Contains(is.Wrong[0].Detail, "too much work")
		if tooMuch == c.fits {
			t.Errorf("%s: %.300v", name, is.Wrong)
		}
	}
}

func below(n, m int, what string) string {
	return `{"type":"array","items":{"allOf":[` + listOf(n, `{"allOf":[`+listOf(m, what)+`]}`) + `]}}`
}

func numbered(prefix string, n int) string {
	var all []string
	for i := range n {
		if prefix == "" {
			all = append(all, strconv.Itoa(i))
			continue
		}
		all = append(all, fmt.Sprintf("%q", fmt.Sprint(prefix, i)))
	}
	return strings.Join(all, ",")
}

func keys(n int) string { return numberedKeys(n, `"x"`) }

func numberedKeys(n int, v string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(`"k%d":%s`, i, v))
	}
	return strings.Join(all, ",")
}

// TestHostilePatternsTakeLittle: they are weighed before they are compiled, and those of a manifest together.
func TestHostilePatternsTakeLittle(t *testing.T) {
	event := func(pattern string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"type":"a.e%d","schema":{"pattern":%q}}`, i, strings.ReplaceAll(pattern, "N", strconv.Itoa(i))))
		}
		return `{"app":"a","version":"1.0.0","events":{"publishes":[` + strings.Join(all, ",") + `]}}`
	}
	for name, c := range map[string]struct {
		text string
		fits bool
	}{
		"large repetitions":           {event("("+strings.Repeat("ab", 210)+"N){1000}", 40), false},
		"repetitions that just fit":   {event("(abcdN){900}", 200), false},
		"repetitions of many letters": {event(`^\pL{900}N$`, 200), false},
		"many letters":                {event(strings.Repeat(`\pL`, 160)+"N", 200), false},
		"letters of either case":      {event("(?i)"+strings.Repeat(`[b-\x{1e943}]`, 36)+"N", 200), false},
		"long patterns":               {event(strings.Repeat("x", 490)+"N", 200), false},
		"none of them one":            {event(strings.Repeat("(", 490)+"N", 200), false},
		"ordinary ones":               {event("^[0-9a-f]{8}-[0-9a-f]{4}-N$", 200), true},
		"ordinary ones, any case":     {event("(?i)^[a-z]{8}-N$", 5), true},
		"the same one":                {event(`^\pL{1,64}$`, 200), true},
	} {
		var err error
		took, mb := spent(func() { _, _, _, err = domain.ParseManifest([]byte(c.text)) })
		t.Logf("%s (%d bytes): %v, %d MB", name, len(c.text), took, mb)
		if mb > 150 {
			t.Errorf("%s took %d MB", name, mb)
		}
		if _, refused := domain.IsRefusal(err); refused == c.fits {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// TestOnlyOneDraftIsTaken: others ignore what stands beside $ref, x-secret too.
func TestOnlyOneDraftIsTaken(t *testing.T) {
	const here = "https://json-schema.org/draft/2020-12/schema"
	for _, c := range []struct{ schema, at string }{
		{`{"type":"object","$schema":%q}`, "/$schema"},
		{`{"type":"object","properties":{"a":{"$id":"urn:x","$schema":%q}}}`, "/properties/a/$schema"},
		{`{"type":"object","$defs":{"a/b":[{"$schema":%q}]}}`, "/$defs/a~1b/0/$schema"},
	} {
		for draft, fits := range map[string]bool{
			here: true, here + "#": false, "http://json-schema.org/draft/2020-12/schema": false, "http://json-schema.org/schema": false, "": false,
			"http://json-schema.org/draft-07/schema#": false, "https://json-schema.org/draft/2019-09/schema": false, "urn:own": false,
		} {
			for _, within := range []struct{ text, at string }{
				{`{"app":"a","version":"1.0.0","config":%s}`, "/manifest/config"},
				{`{"app":"a","version":"1.0.0","events":{"publishes":[{"type":"a.b","schema":%s}]}}`, "/manifest/events/publishes/0/schema"},
			} {
				text := fmt.Sprintf(within.text, fmt.Sprintf(c.schema, draft))
				_, _, _, err := domain.ParseManifest([]byte(text))
				if fits && strings.Contains(c.schema, "[{") { // no schema, whatever it says
					continue
				}
				if got := places(err); fits != (err == nil) || !fits && (len(got) != 1 || got[0] != within.at+c.at) {
					t.Errorf("%s: %v", text, err)
				}
			}
		}
	}
	_ = parsed(t, `{"app":"a","version":"1.0.0","config":{"type":"object","properties":{"$schema":{"type":"string"}}}}`)
}
