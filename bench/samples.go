package main

import (
	"fmt"
	"math"
	"slices"
)

// welch is the t of Welch's test: by how many standard errors two means differ.
func welch(x, y []float64) float64 {
	mx, vx := moments(x)
	my, vy := moments(y)
	return (mx - my) / math.Sqrt(vx/float64(len(x))+vy/float64(len(y)))
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x)-1)
	}
	return mean, variance
}

// kolmogorov is the two-sample test of Kolmogorov and Smirnov: the largest distance of the two distributions, and the chance
// of one as large between samples of one distribution (by its limit for large samples).
func kolmogorov(x, y []float64) (distance, chance float64) {
	x, y = slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y))
	for i, j := 0, 0; i < len(x) && j < len(y); {
		at := min(x[i], y[j])
		for i < len(x) && x[i] == at {
			i++
		}
		for j < len(y) && y[j] == at {
			j++
		}
		distance = max(distance, math.Abs(float64(i)/float64(len(x))-float64(j)/float64(len(y))))
	}
	n := math.Sqrt(float64(len(x)*len(y)) / float64(len(x)+len(y)))
	lambda := (n + 0.12 + 0.11/n) * distance
	if lambda < 0.2 { // the sum converges slowly there, to 1
		return distance, 1
	}
	sign := 1.
	for k := 1.; k <= 100; k++ {
		chance += 2 * sign * math.Exp(-2*lambda*lambda*k*k)
		sign = -sign
	}
	return distance, min(max(chance, 0), 1)
}

func median(x []float64) float64 { return quantile(x, 0.5) }

func quantile(x []float64, q float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return x[min(len(x)-1, int(q*float64(len(x))))]
}

// spread describes samples in milliseconds.
func spread(x []float64) string {
	return fmt.Sprintf("p5 %.1f, p50 %.1f, p95 %.1f ms", quantile(x, 0.05), median(x), quantile(x, 0.95))
}
