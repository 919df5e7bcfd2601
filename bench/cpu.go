package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpu is processor time, by who used it. On machines without /proc all of it is zero.
type cpu struct{ load, server, postgres, others time.Duration }

// usage is what has been used until now: by this process, by the server that it started, by its PostgreSQL, by all else.
func (b *bench) usage() cpu {
	var u cpu
	var gone time.Duration // servers that have ended
	text, _ := os.ReadFile(filepath.Join(b.cluster.folder, "postgres", "data", "postmaster.pid"))
	postmaster, _, _ := strings.Cut(string(text), "\n")
	self := strconv.Itoa(os.Getpid())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, _ := os.ReadFile(name)
		pid, rest, _ := strings.Cut(string(text), " (")
		_, rest, _ = strings.Cut(rest, ") ")
		f := strings.Fields(rest) // from field 3, state, on: proc(5)
		switch {
		case len(f) < 15:
		case pid == self:
			u.load, gone = u.load+ticks(f[11], f[12]), ticks(f[13], f[14])
		case pid == b.aside:
			u.load += ticks(f[11], f[12])
		case pid == postmaster || f[1] == postmaster:
			u.postgres += ticks(f[11], f[12], f[13], f[14])
		case f[1] == self && b.binary != "":
			u.server = ticks(f[11], f[12])
		}
	}
	all, _ := os.ReadFile("/proc/stat")
	if f := strings.Fields(string(all)); len(f) > 8 { // cpu user nice system idle iowait irq softirq steal
		u.others = ticks(f[1], f[2], f[3], f[6], f[7]) - u.load - u.postgres - u.server - gone
	}
	return u
}

// ticks are hundredths of a second on every Linux that Go runs on.
func ticks(fields ...string) (d time.Duration) {
	for _, f := range fields {
		n, _ := strconv.ParseInt(f, 10, 64)
		d += time.Duration(n) * 10 * time.Millisecond
	}
	return d
}

// spent tells, with -v, what each of n operations cost since an earlier usage.
func (b *bench) spent(before cpu, n float64) {
	if !b.verbose {
		return
	}
	after := b.usage()
	each := func(before, after time.Duration) string {
		return fmt.Sprintf("%.0f µs", float64((after-before).Microseconds())/n)
	}
	fmt.Fprintf(os.Stderr, "  processor time of each: server %s, PostgreSQL %s, load %s; meanwhile others used %.1f s\n",
		each(before.server, after.server), each(before.postgres, after.postgres), each(before.load, after.load), (after.others - before.others).Seconds())
}
