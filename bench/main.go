// Command bench measures Chancery on a durable PostgreSQL of its own, each number beside a baseline taken a moment
// later on the same machine. It leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime/pprof"
	"syscall"
	"time"

	"chancery/internal/bridge/natstest"
	"chancery/internal/deliveries/receivertest"
)

// bench is one run. Sections run one after another and put their rows into the table.
type bench struct {
	cluster   *cluster
	span      time.Duration // of each measurement of a rate
	inprocess bool
	verbose   bool
	table     table
	binary    string // of the server; built at first use
	history   *history
	aside     string // process that receives what the server sends; part of the load
}

type section struct {
	name string
	run  func(*bench, context.Context) error
}

// sections in the order of the table. The last three share a database.
func sections() []section {
	return []section{
		{"append", (*bench).appends},
		{"commands", (*bench).commands},
		{"access", (*bench).access},
		{"acting", (*bench).acting},
		{"secrets", (*bench).secrets},
		{"entitlements", (*bench).entitlements},
		{"events", (*bench).events},
		{"endpoints", (*bench).manyEndpoints},
		{"pending", (*bench).pending},
		{"bridge", (*bench).bridge},
		{"gateway", (*bench).gateway},
		{"sign-in", (*bench).signIns},
		{"lag", (*bench).lag},
		{"import", (*bench).imports},
		{"rebuild", (*bench).rebuild},
		{"sealed", (*bench).sealed},
	}
}

func main() {
	receivertest.Main()
	natstest.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	only := flag.String("only", "", "run the sections that match: append commands access acting secrets entitlements events endpoints pending bridge gateway sign-in lag import rebuild sealed")
	seconds := flag.Float64("seconds", 5, "length of each measurement")
	profile := flag.String("cpuprofile", "", "write a CPU profile of this process to a file; see -inprocess")
	allocs := flag.String("memprofile", "", "write what this process allocated to a file; see -inprocess")
	b := &bench{}
	flag.BoolVar(&b.inprocess, "inprocess", false, "run the server in this process, so that it is profiled")
	flag.StringVar(&b.binary, "server", "", "measure this program instead of building the server, to compare two")
	flag.BoolVar(&b.verbose, "v", false, "print each row as soon as it is known, too")
	url := flag.String("url", "", "measure one request instead: GET it, or POST -body to it, with -token, over -conns connections")
	var l load
	flag.StringVar(&l.body, "body", "", "JSON to POST to -url")
	flag.StringVar(&l.token, "token", "", "API token for -url")
	flag.IntVar(&l.conns, "conns", 64, "connections to -url")
	flag.Parse()
	b.span = time.Duration(*seconds * float64(time.Second))
	if *url != "" {
		return l.run(ctx, *url, b.span)
	}
	which, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if b.cluster, err = startCluster(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.cluster.stop()) }()
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	if *allocs != "" {
		defer func() { err = errors.Join(err, writeAllocs(*allocs)) }()
	}
	return b.run(ctx, which)
}

func (b *bench) run(ctx context.Context, which *regexp.Regexp) error {
	title, before, began := machine(ctx, b.cluster), b.usage(), time.Now()
	defer func() {
		if b.history != nil {
			b.history.close(ctx)
		}
	}()
	for _, s := range sections() {
		if !which.MatchString(s.name) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", s.name)
		if err := s.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	others := (b.usage().others - before.others).Seconds() / time.Since(began).Seconds()
	return b.table.write(os.Stdout, fmt.Sprintf("%s; meanwhile others used %.1f of the cores", title, others))
}

func startProfile(name string) (stop func(), err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() { pprof.StopCPUProfile(); _ = f.Close() }, nil
}

func writeAllocs(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
