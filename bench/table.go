package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
)

// row is one line of the table. The ratio is measured to baseline.
type row struct {
	what, measured, baseline string
	ratio                    float64
	aim                      string // empty: none
	met                      bool
}

type table struct{ rows []row }

func (b *bench) add(r row) {
	b.table.rows = append(b.table.rows, r)
	if b.verbose {
		fmt.Fprintf(os.Stderr, "  %s: %s | %s | %.2f | %s\n", r.what, r.measured, r.baseline, r.ratio, r.aim)
	}
}

func (t *table) write(out io.Writer, title string) error {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	line := func(format string, cells ...any) { _, _ = fmt.Fprintf(w, format, cells...) } // into memory: cannot fail
	line("what\tmeasured\tbaseline\tratio\taim\t\n")
	for _, r := range t.rows {
		verdict := ""
		if r.aim != "" {
			verdict = map[bool]string{true: "met", false: "MISSED"}[r.met]
		}
		line("%s\t%s\t%s\t%.2f\t%s\t%s\n", r.what, r.measured, r.baseline, r.ratio, r.aim, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "%s\n\n%s", title, b.Bytes())
	return err
}

// machine says on what the numbers were taken.
func machine(ctx context.Context, c *cluster) string {
	version := "unknown"
	if conn, err := pgx.Connect(ctx, c.server.SuperuserURL("postgres")); err == nil {
		_ = conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
		_ = conn.Close(ctx)
	}
	return fmt.Sprintf("%d cores of %s; PostgreSQL %s, durable, and the load generator on the same cores; %s %s/%s",
		runtime.NumCPU(), processor(), version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer f.Close()
	for in := bufio.NewScanner(f); in.Scan(); {
		if name, value, ok := strings.Cut(in.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown processor"
}

// number groups thousands.
func number(f float64) string {
	digits := fmt.Sprintf("%.0f", f)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func millis(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}

func (d driven) String() string {
	return fmt.Sprintf("%s/s, p50 %s, p99 %s", number(d.rate), millis(d.p50), millis(d.p99))
}
