package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestSamplesOfOneDistributionAreAlikeAndOthersAreNot(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	samples := func(mean float64) []float64 {
		x := make([]float64, 300)
		for i := range x {
			x[i] = mean + random.NormFloat64()
		}
		return x
	}
	alarms := 0
	for range 1000 {
		x, y := samples(0), samples(0)
		if _, p := kolmogorov(x, y); p < 0.05 {
			alarms++
		}
	}
	if alarms < 10 || alarms > 90 { // 50 are expected, fewer with the limit's formula
		t.Errorf("of 1000 pairs of one distribution %d have p < 0.05", alarms)
	}
	x, y := samples(0), samples(1)
	if _, p := kolmogorov(x, y); p > 0.001 || math.Abs(welch(x, y)) < 4.5 {
		t.Errorf("a shift by one standard deviation is not seen: p %g, t %g", p, welch(x, y))
	}
}

func TestTheNumbersAreThoseOfTheBooks(t *testing.T) {
	// R: ks.test(c(1,2,3,4,5), c(4,5,6,7,8)) has D = 0.6; t.test of the same has t = -3.
	x, y := []float64{1, 2, 3, 4, 5}, []float64{4, 5, 6, 7, 8}
	if d, _ := kolmogorov(x, y); math.Abs(d-0.6) > 1e-9 {
		t.Errorf("D %g", d)
	}
	if got := welch(x, y); math.Abs(got+3) > 1e-9 {
		t.Errorf("t %g", got)
	}
	if d, p := kolmogorov(x, x); d != 0 || p != 1 {
		t.Errorf("of itself: D %g, p %g", d, p)
	}
}
