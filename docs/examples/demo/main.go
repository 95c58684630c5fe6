// Command demo shows a node, a business service and a client at work: the client logs in, calls each
// action of the sample service, and gets pushes right before and right after answers. All three run in
// this process, on free ports of the loopback and with a folder of their own, so that nothing is left
// when it ends. It ends by itself, with exit code 0 if everything came as it should.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/game-im/hermod/app/hermod"
	sample "github.com/game-im/hermod/app/upstream"
)

// patience is how long all of it may take.
const patience = 2 * time.Minute

func main() {
	logs := flag.Bool("logs", false, "show what the node and the service log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // whoever is in a hurry says so twice
	if err := run(ctx, os.Stdout, os.Stderr, *logs); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be undone
	}
}

func run(ctx context.Context, out, errs io.Writer, live bool) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := settle()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log := &journal{}
	if live {
		log.to = errs
	}
	defer func() {
		if err != nil && ctx.Err() == nil && !live {
			fmt.Fprintf(errs, "what the node and the service have logged:\n%s\n", log)
		}
	}()

	node := start("the node", func(ctx context.Context, said io.Writer) error {
		return hermod.Run(ctx, []string{"-im", free, "-grpc", free, "-http", free, "-ops", free, "-quic", ""}, said, log, hermod.Standard()...)
	})
	defer node.stop() //nolint:errcheck // for when something has failed already
	gateway, err := node.says(ctx, "services")
	if err != nil {
		return err
	}
	http, err := node.says(ctx, "http")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A node has started. Services reach it at %s, clients at ws://%s/ws.\n", gateway, http)

	service := start("the service", func(ctx context.Context, said io.Writer) error {
		return sample.Run(ctx, []string{"-addr", free, "-gateway", gateway}, said, log)
	})
	defer service.stop() //nolint:errcheck // for when something has failed already
	addr, err := service.says(ctx, "Registered")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The sample service has started and registered itself as %s.\n", addr)

	alice, err := connect(ctx, http, "10042")
	if err != nil {
		return fmt.Errorf("the client: %w", err)
	}
	defer alice.conn.CloseNow() //nolint:errcheck // it is closed unless something failed before
	fmt.Fprintf(out, "A client has connected as openid 10042 and has the session %s.\n", alice.session)
	fmt.Fprint(out, "\nWhat it asks for has →, what it is answered ←, and what is pushed to it ⇐.\n")
	if err := play(ctx, alice, out); err != nil {
		return err
	}
	if err := alice.stop(ctx); err != nil {
		return err
	}
	fmt.Fprint(out, "\nThat was all of it. The client, the service and the node stop.\n")
	if err := service.stop(); err != nil {
		return err
	}
	return node.stop()
}

const free = "127.0.0.1:0"

// settle makes a folder for the node's data. What the environment says of another node is not for this one.
func settle() (dir string, err error) {
	for _, pair := range os.Environ() {
		if key, _, _ := strings.Cut(pair, "="); strings.HasPrefix(key, "HERMOD_") {
			if err := os.Unsetenv(key); err != nil {
				return "", err
			}
		}
	}
	if dir, err = os.MkdirTemp("", "hermod-demo-"); err != nil {
		return "", err
	}
	return dir, os.Setenv("HERMOD_DATA_DIR", dir)
}

// journal is a log of several programs.
type journal struct {
	to io.Writer // nil: it is kept

	mu   sync.Mutex
	kept bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.to != nil {
		return j.to.Write(p)
	}
	return j.kept.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.kept.String()
}
