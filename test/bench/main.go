// Program bench measures a Hermod node beside a bare loop of the same transport, grpc-go or WebSocket,
// in the same run, per CPU-second of the server process.
//
//	go run ./test/bench                      all rows, three rounds
//	go run ./test/bench -run 'fanout/100/'   some rows
//	go run ./test/bench bare -addr HOST:PORT the bare loop alone
//
// Each measurement starts a server process of its own on the loopback, loads it from this process
// and stops it again; only the server's CPU and memory are counted. Every receiver checks that it
// gets each message once and in order, and a row in which one does not is reported as failed,
// whatever its speed. docs/performance.md explains the method.
//
// The program reads /proc, so it runs on Linux only.
//
// Concurrency: a peer is one client stream; its ledger belongs to the goroutine that reads the
// stream, and other goroutines read only its atomic counters. Everything ends when the context
// given to run ends, which an interrupt does too; servers are then stopped by their process id.
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
	messages   int
	window     int
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
	if len(args) > 0 && args[0] == "bare" {
		return runBare(ctx, args[1:])
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
	fs.IntVar(&opt.messages, "messages", 40000, "messages of a fan-out to 100 receivers; a tenth of it to 1,000")
	fs.IntVar(&opt.window, "window", 256, "messages that the fan-out's sender may be ahead of the slowest receiver")
	fs.DurationVar(&opt.duration, "duration", 8*time.Second, "length of a measurement in the rows rooms/")
	fs.DurationVar(&opt.settle, "settle", 10*time.Second, "rest before memory is read in the rows idle/")
	fs.IntVar(&opt.rate, "rate", 3000, "messages per second of the row rooms/paced")
	fs.StringVar(&opt.out, "out", "", "write the tables to this `file` too")
	fs.StringVar(&opt.bin, "bin", "", "node binary; built from ./app/hermod/cmd/hermod when empty")
	fs.BoolVar(&opt.againstOwn, "self", false, "put the bare loop in the node's place: ratios show the harness's own error")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if opt.rounds < 1 || opt.messages < 100 || opt.window < 1 || opt.rate < 1 {
		return nil, errors.New("-rounds, -window and -rate must be positive, -messages at least 100")
	}
	var err error
	if opt.only, err = regexp.Compile(*only); err != nil {
		return nil, fmt.Errorf("-run: %w", err)
	}
	return opt, nil
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
	b := &bench{opt: opt, work: work, progress: os.Stderr}
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
