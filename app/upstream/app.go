// Package sample is a business service behind a Hermod gateway, small enough to be read in five minutes,
// to begin one's own with. service.go lists the actions that it answers, in the three files after it.
package sample

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-kratos/kratos/v2"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"

	"github.com/game-im/hermod/sdk/upstream"
)

// Version is the version that the service reports; the build sets it.
var Version = "dev"

const (
	// requestTimeout is at least the gateway's gateway.request_timeout. Kratos' own is a second.
	requestTimeout = time.Minute
	// stopTimeout is how long requests that are being answered may take when the service stops.
	stopTimeout = 10 * time.Second
)

// Main runs the service with the arguments of the process until SIGINT or SIGTERM, and exits with 0 after
// a clean stop, 2 for wrong arguments, and 1 for any other failure.
func Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

// Run runs the service until ctx ends, and returns once it has stopped. What it tells people goes to out,
// its log to logs.
func Run(ctx context.Context, args []string, out, logs io.Writer) error {
	o, err := parseFlags(args, out)
	if err != nil || o.version {
		return err
	}
	log := slog.New(slog.NewTextHandler(logs, nil))

	gateway := upstream.NewUnicastClient(o.gateway, upstream.WithToken(o.token))
	if err := gateway.Connect(); err != nil {
		return err
	}
	defer gateway.Close() //nolint:errcheck // nothing is pending

	srv := kgrpc.NewServer(kgrpc.Address(o.addr), kgrpc.Timeout(requestTimeout))
	newService(gateway, log).Register(srv)
	endpoint, err := srv.Endpoint() // which opens the port
	if err != nil {
		return fmt.Errorf("-addr %s: %w", o.addr, err)
	}
	if o.announce == "" {
		o.announce = endpoint.Host
	}
	registrar, err := upstream.NewRegistrar(upstream.At(o.gateway),
		upstream.Registration{Address: o.announce, Name: o.name, Zone: o.zone, Log: log, OnChange: func(gateway string, err error) {
			if err == nil {
				fmt.Fprintf(out, "Registered %s at %s.\n", o.announce, gateway)
			}
		}}, upstream.WithToken(o.token))
	if err != nil {
		return errors.Join(err, srv.Stop(ctx))
	}
	return serve(ctx, kratos.Name(o.name), kratos.Version(Version), kratos.Server(srv), kratos.StopTimeout(stopTimeout),
		kratos.AfterStart(func(ctx context.Context) error {
			fmt.Fprintf(out, "The sample service is ready at %s.\n", o.announce)
			return registrar.Start(ctx)
		}),
		kratos.BeforeStop(registrar.Stop))
}

// serve runs an application until ctx ends.
func serve(ctx context.Context, options ...kratos.Option) error {
	started := make(chan struct{}) // what is starting cannot be stopped
	app := kratos.New(append(options, kratos.AfterStart(func(context.Context) error { close(started); return nil }))...)
	ended := make(chan error, 1)
	go func() { ended <- app.Run() }()
	select {
	case err := <-ended: // by a signal, or it did not start
		return err
	case <-started:
	}
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		err := errors.Join(app.Stop(), <-ended)
		if errors.Is(err, grpc.ErrServerStopped) {
			return nil // it was about to serve
		}
		return err
	}
}
