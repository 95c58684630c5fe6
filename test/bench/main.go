// Program bench measures a Hermod node beside a bare loop of the same transport, in the same
// run, per CPU-second of the server process.
//
//	go run ./test/bench                      all rows, three rounds
//	go run ./test/bench -run 'fanout/100/'   some rows
//	go run ./test/bench bare                 the bare loop alone
//	go run ./test/bench upstream             the business service alone
//
// Each measurement starts a server process of its own on the loopback, loads it from this process
// as hermodctl bench does, and stops it again; only the server's CPU and memory are counted. Every
// receiver checks that it gets each message once and in order, and a row in which one does not is
// reported as failed, whatever its speed. docs/performance.md explains the method.
//
// The program reads /proc, so it runs on Linux only. Everything ends when the context given to run
// ends, which an interrupt does too; servers are then stopped by their process id.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only       *regexp.Regexp
	rounds     int
	window     int
	warmUp     time.Duration
	duration   time.Duration
	settle     time.Duration
	rate       int
	out        string
	bin        string
	againstOwn bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, w io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "bare":
			return runBare(ctx, args[1:])
		case "upstream":
			return runUpstream(ctx, args[1:])
		}
	}
	opt, err := parse(args)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "hermod-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if opt.bin == "" && !opt.againstOwn {
		if opt.bin, err = build(ctx, work); err != nil {
			return err
		}
	}
	return measure(ctx, opt, work, w)
}

func parse(args []string) (*options, error) {
	opt := &options{}
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := fs.String("run", "", "measure only the rows whose name matches this `regexp`")
	fs.IntVar(&opt.rounds, "rounds", 3, "rounds per row; each measures both servers, in turns")
	fs.IntVar(&opt.window, "window", 256, "messages that a sender may be ahead of the slowest receiver")
	fs.DurationVar(&opt.warmUp, "warm-up", 2*time.Second, "load before each measurement")
	fs.DurationVar(&opt.duration, "duration", 8*time.Second, "length of a measurement")
	fs.DurationVar(&opt.settle, "settle", 10*time.Second, "rest before memory is read in the rows idle/")
	fs.IntVar(&opt.rate, "rate", 3000, "messages per second of the row rooms/paced")
	fs.StringVar(&opt.out, "out", "", "write the tables to this `file` too")
	fs.StringVar(&opt.bin, "bin", "", "node binary; built from ./app/hermod/cmd/hermod when empty")
	fs.BoolVar(&opt.againstOwn, "self", false, "put the bare loop in the node's place: ratios show the harness's own error")
	fs.Usage = func() { usage(fs, opt) }
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; only flags are allowed, or bare or upstream", fs.Arg(0))
	}
	if opt.rounds < 1 || opt.window < 1 || opt.rate < 1 || opt.warmUp < 0 || opt.duration <= 0 || opt.settle <= 0 {
		return nil, errors.New("-rounds, -window, -rate, -duration and -settle must be positive, -warm-up at least 0")
	}
	var err error
	if opt.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	return opt, nil
}

// usage lists the flags and the rows.
func usage(fs *flag.FlagSet, opt *options) {
	out := fs.Output()
	fmt.Fprint(out, "Measures a Hermod node beside a bare loop. Flags:\n\n")
	fs.PrintDefaults()
	fmt.Fprint(out, "\nRows:\n\n")
	for _, r := range rows(opt) {
		fmt.Fprintf(out, "  %-30s %s\n", r.name, r.title)
	}
}

// build compiles the node into dir. It has to run inside the module.
func build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "hermod")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/game-im/hermod/app/hermod/cmd/hermod")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build the node: %w", err)
	}
	return bin, nil
}

// measure runs the chosen rows one after another and prints the tables at the end, also when the
// run was interrupted: what is done by then is worth seeing.
func measure(ctx context.Context, opt *options, work string, w io.Writer) error {
	// The load shares the machine with the server, so it spends memory rather than time.
	debug.SetGCPercent(400)
	b := &runner{opt: opt, work: work, progress: os.Stderr}
	var done []*outcome
	for _, r := range rows(opt) {
		if !opt.only.MatchString(r.name) || ctx.Err() != nil {
			continue
		}
		done = append(done, b.measure(ctx, r))
	}
	if len(done) == 0 {
		return errors.New("no row matches -run")
	}
	text := render(done, opt)
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	if opt.out != "" {
		if err := os.WriteFile(opt.out, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return failures(done)
}
