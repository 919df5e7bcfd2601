package domain

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

var search = flag.Duration("filters", time.Second, "how long to look for a filter that takes long")

// writer writes filters at random.
type writer struct {
	*rand.Rand
	vars []string // of the loops around
}

func (w *writer) of(all ...string) string { return all[w.IntN(len(all))] }

func (w *writer) many(n int, each func() string) string {
	all := make([]string, n)
	for i := range all {
		all[i] = each()
	}
	return strings.Join(all, ",")
}

func (w *writer) text(d int) string {
	switch w.IntN(8) {
	case 0:
		return w.of(`"a"`, `""`, `"aaaaaaaaaaaaaaaaaaaab"`, `"x"`)
	case 1:
		return w.of("id", "source", "subject", "type", "tenant")
	case 2:
		return fmt.Sprintf("(%s?%s:%s)", w.bool(d-1), w.text(d-1), w.text(d-1))
	default:
		return w.any(d)
	}
}

func (w *writer) any(d int) string {
	if d <= 0 || w.IntN(3) > 0 {
		return w.of(append(w.vars, "data", "data.s", "data.t", "data.l", "data.l2", "data.m", "data.m2", "data.n", "data.w", "data.w[0]", "data.none", "time", "1", "0.5", "[]", "null", `timestamp("2026-01-01T00:00:00Z")`, `duration("1h")`)...)
	}
	switch w.IntN(8) {
	case 0:
		return fmt.Sprintf("%s[%s]", w.any(d-1), w.of("0", `"a"`, w.any(d-1)))
	case 1:
		return "[" + w.many(1+w.IntN(30), func() string { return w.any(0) }) + "]"
	case 2:
		return "{" + w.many(1+w.IntN(5), func() string { return w.text(0) + ":" + w.any(d-1) }) + "}"
	case 3:
		return w.any(d-1) + w.of(".a", ".s", ".k1", ".a.a.a.a.a.a")
	case 4:
		return fmt.Sprintf("(%s%s%s)", w.any(d-1), w.of("-", "*", "/", "%"), w.any(d-1))
	case 5:
		return w.of("size("+w.any(d-1)+")", "time."+w.of("getHours", "getFullYear", "getDayOfYear", "getMilliseconds")+"()", "-"+w.any(d-1))
	default:
		return w.text(d - 1)
	}
}

func (w *writer) bool(d int) string {
	if d <= 0 {
		return w.of("true", "false", "data", `type=="x"`)
	}
	switch w.IntN(10) {
	case 0:
		return fmt.Sprintf("(%s%s%s)", w.bool(d-1), w.of("&&", "||"), w.bool(d-1))
	case 1:
		return w.of("!", "!!!") + w.bool(d-1)
	case 2:
		return fmt.Sprintf("(%s%s%s)", w.any(d-1), w.of("==", "!=", "<", "<=", ">", ">=", " in "), w.any(d-1))
	case 3:
		return fmt.Sprintf("%s.%s(%s)", w.text(d-1), w.of("contains", "startsWith", "endsWith"), w.text(d-1))
	case 4:
		return fmt.Sprintf("%s.matches(%q)", w.text(d-1), w.regex(3))
	case 5:
		return "has(" + w.any(d-1) + w.of(".a", ".s", ".k1") + ")"
	case 6:
		return fmt.Sprintf("(%s?%s:%s)", w.bool(d-1), w.bool(d-1), w.bool(d-1))
	default:
		over := w.any(d - 1)
		v := fmt.Sprintf("v%d", len(w.vars))
		w.vars = append(w.vars, v)
		defer func() { w.vars = w.vars[:len(w.vars)-1] }()
		if w.IntN(4) > 0 { // one that goes on
			return fmt.Sprintf("%s.exists(%s,%s&&data.none)", over, v, w.bool(d-1))
		}
		return fmt.Sprintf("%s.%s(%s,%s)", over, w.of("all", "exists"), v, w.bool(d-1))
	}
}

func (w *writer) regex(d int) string {
	if d == 0 {
		return w.of("a", "a?", "[ab]", ".", `\pL`, "(?i:a)", "b", "^", "$", `\b`)
	}
	switch w.IntN(4) {
	case 0:
		return w.regex(d-1) + w.regex(d-1)
	case 1:
		return "(" + w.regex(d-1) + "|" + w.regex(d-1) + ")"
	case 2:
		return "(" + w.regex(d-1) + ")" + w.of("*", "+", "?", "{9}", "{0,20}", "*?")
	default:
		return w.regex(d - 1)
	}
}

// hostile are data of so many values, as far as an event may be that long.
func hostile(values int) map[string]string {
	half := MaxEventData/2 - 50
	fields := func(n int, value string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = fmt.Sprintf(`"k%d":%s`, i, value)
		}
		return strings.Join(all, ",")
	}
	list := func(each string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(each+",", min(values, half/(len(each)+1))), ",") + "]"
	}
	small := `"l":[1,2,3,4],"m":{"a":1,"b":2},"s":"aaaaaaaaaaaaaaaaaaaa","t":"aaaaaaaaaaaaaaaaaaab"`
	return map[string]string{
		"texts":   `{"s":"` + strings.Repeat("a", half) + `","t":"` + strings.Repeat("a", half) + `","l":[1],"m":{"a":"x"}}`,
		"numbers": `{"l":` + list("1") + `,"l2":` + list("1") + `,"w":["a"],"u":"` + strings.Repeat("aä", 1000) + `"}`,
		"objects": `{"m":{` + fields(min(values, half/10), "1") + `},"m2":{` + fields(min(values, half/10), "1") + `}}`,
		"deep":    `{"n":` + strings.Repeat(`[`, min(values, 4000)) + strings.Repeat(`]`, min(values, 4000)) + `,"l":` + list(`{"a":{"a":0}}`) + `,"m":{"a":` + strings.Repeat(`{"a":`, 900) + `1` + strings.Repeat("}", 901) + `}`,
		"wide":    `{"w":` + list(`"aaaaaa"`) + `,"l2":` + list("[]") + `,` + small + `}`,
		"unicode": `{"u":"` + strings.Repeat("aa", 5000) + `","s":"` + strings.Repeat("ä", half/2) + `",` + `"l":` + list(`""`) + `}`,
		"small":   "{" + small + `,"w":[[[[[1]]]]],"u":"` + strings.Repeat("a", 400) + `"}`,
	}
}

// dearFilters are some that were thought of, each as long as it may be.
func dearFilters() (all []string) {
	for _, body := range []string{"true", "1.0<2", "!true", "data.none", "v==1", "v in [1,2]", "v in data.l", "v in data.m", "data.m.a.a.a.a.a.a", "size([v,v,v])==4", "{v:v}=={}", "data.l==[v]",
		"(true?true:false)", "time.getDayOfYear()>v", "(time-time)==time", `data.s.contains("aaaaaaaaaaaaaaaaab")`, "data.s<data.t", "data.s!=data.t", "data.l!=data.l2", "data.m!=data.m2",
		"data.n!=data.n", "size(data.s)==v", "data==data", "v-v-v-v-v-v==v", "(v-v)==v", "-v==v", `data.s.matches("(a?)*b")`, `data.s==""`, "[[v]]==[[v]]", "has(data.m.a)", "data[v]", "data.l[v]",
		"[1].exists(w,v==w)", "[v].exists(w,false)", "data.m.exists(w,v==w)", "data.m2.exists(w,true)", "v*0.5<v", "v.startsWith(v)", `timestamp("2026-01-01T00:00:00Z")<v`} {
		for _, join := range []string{"&&", "||"} {
			for _, over := range []string{"data.l", "data.l2", "data.m", "data.w"} {
				for _, n := range []int{1, 1000} {
					n = min(n, (MaxFilter-50)/(len(body)+2))
					all = append(all, fmt.Sprintf("%s.exists(v,(%s)&&data.gone)", over, strings.TrimSuffix(strings.Repeat(body+join, n), join)))
				}
			}
		}
	}
	for _, expr := range []string{"(a?){110}b", "(a?){30}b", "(a|aa|aaa|aaaa)*b", "a*a*a*a*a*a*b", "((a?)*(a?)*)*b", `(\\pL?){90}\\d`, "(?i)(a?){150}b", `(\\w*\\W?){50}\\d`, "a", "^a", "b$", "^(a|b)*$", "(.*)(.*)(.*)x",
		`(\\b|a){100}x`, "[^b]*b", "a{100}b", ""} {
		all = append(all, fmt.Sprintf(`data.s.matches("%s")`, expr), fmt.Sprintf(`data.l.exists(v,v.matches("%s")&&data.gone)`, expr), fmt.Sprintf(`data.w.exists(v,v.matches("%s")&&data.gone)`, expr),
			fmt.Sprintf(`data.w.exists(v,data.u.matches("%s")&&data.gone)`, expr), fmt.Sprintf(`data.u.matches("%s")`, expr))
	}
	twice := "[[data]].exists(z," + strings.Repeat("[[z,z]].exists(z,", 30)
	return append(all, twice+"z==z"+strings.Repeat(")", 31), twice+"z in [z]"+strings.Repeat(")", 31))
}

// TestWhatAFilterCostsIsWhatItTakes looks for the filter that takes the longest for what it costs, and for the one that takes the longest:
// -filters 5m -v tells. None may panic, nor cost something else at another time.
func TestWhatAFilterCostsIsWhatItTakes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &writer{Rand: rand.New(rand.NewPCG(seed, 0))}
	data := hostile(mostValues / 4)
	type found struct {
		filter, data string
		took         time.Duration
		cost         uint64
	}
	perUnit := func(f found) float64 { return float64(f.took) / float64(f.cost+20) }
	var dear, long []found
	accepted := 0
	known := dearFilters()
	for until := time.Now().Add(*search); time.Now().Before(until); {
		filter := w.bool(2 + w.IntN(6))
		if w.IntN(2) == 0 {
			filter = known[w.IntN(len(known))]
		}
		if len(filter) > MaxFilter {
			continue
		}
		s, err := EndpointTerms{Types: []EventPattern{"*"}, Filter: filter}.Compile()
		if err != nil {
			if strings.Contains(err.Error(), "cannot be read") {
				t.Errorf("%s: %v", filter, err)
			}
			continue
		}
		accepted++
		for name, doc := range data {
			measure := func(times int) found {
				f := found{filter: filter, data: name, took: time.Hour}
				for range times {
					d, err := s.needs.read([]byte(doc))
					if err != nil {
						continue
					}
					began := time.Now()
					_, details, err := s.filter.Eval(map[string]any{"id": "e", "source": "s", "subject": "", "type": "a.b", "tenant": "t", "time": began, "data": d})
					f.took = min(f.took, time.Since(began))
					cost := *details.ActualCost()
					if fault(err) {
						t.Errorf("%s: %v", filter, err)
					}
					if f.cost != 0 && f.cost != cost && !strings.Contains(filter, "{") { // CEL has no order in a map that is written down
						t.Errorf("%s costs %d and %d", filter, f.cost, cost)
					}
					f.cost = cost
				}
				return f
			}
			f := measure(1)
			if f.took == time.Hour {
				continue
			}
			if len(dear) == 0 || len(long) == 0 || perUnit(f) > perUnit(dear[len(dear)-1]) || f.took > long[len(long)-1].took {
				f = measure(20) // others are busy, too
			}
			if len(dear) == 0 || perUnit(f) > perUnit(dear[len(dear)-1]) {
				dear = append(dear, f)
			}
			if len(long) == 0 || f.took > long[len(long)-1].took {
				long = append(long, f)
			}
		}
	}
	t.Logf("%d filters", accepted)
	for _, f := range dear[max(0, len(dear)-5):] {
		t.Logf("%.0f ns a unit: %v for %d at %s: %s", perUnit(f), f.took, f.cost, f.data, f.filter)
	}
	for _, f := range long[max(0, len(long)-5):] {
		t.Logf("%v for %d at %s: %s", f.took, f.cost, f.data, f.filter)
	}
}

func BenchmarkReadingDataForAFilter(b *testing.B) {
	for name, doc := range hostile(MaxEventData) {
		for what, n := range map[string]needs{"whole": {whole: true}, "none of it": {members: map[string]bool{"gone": true}}} {
			b.Run(name+"/"+what, func(b *testing.B) {
				for b.Loop() {
					_, _ = n.read([]byte(doc))
				}
			})
		}
	}
}
