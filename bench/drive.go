package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// driven is how an operation went: each worker begins the next when the last is done.
type driven struct {
	rate     float64 // per second
	p50, p99 time.Duration
}

// drive calls op from n goroutines for a span, after a warm-up of a tenth of it. The first error ends it.
func drive(n int, span time.Duration, op func(worker int) error) (driven, error) {
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	took := make([][]time.Duration, n)
	warm := time.Now().Add(span / 10)
	end := warm.Add(span)
	for i := range n {
		wg.Go(func() {
			for failed.Load() == nil {
				began := time.Now()
				if began.After(end) {
					return
				}
				if err := op(i); err != nil {
					failed.Store(&err)
					return
				}
				if began.After(warm) {
					took[i] = append(took[i], time.Since(began))
				}
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return driven{}, *err
	}
	return summary(slices.Concat(took...), span)
}

func summary(took []time.Duration, span time.Duration) (driven, error) {
	if len(took) == 0 {
		return driven{}, errors.New("nothing was finished in time")
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[len(took)*percent/100] }
	return driven{float64(len(took)) / span.Seconds(), at(50), at(99)}, nil
}

// versus is a row about rates.
func versus(what string, measured, baseline driven, least float64) row {
	r := row{what: what, measured: measured.String(), baseline: baseline.String(), ratio: measured.rate / baseline.rate}
	if least > 0 {
		r.aim, r.met = fmt.Sprintf("≥ %s/s", number(least)), measured.rate >= least
	}
	return r
}
