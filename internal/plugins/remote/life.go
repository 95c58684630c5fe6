package remote

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
)

const (
	// helloWithin is how long a plugin may take until it says what it can do.
	helloWithin = 30 * time.Second
	firstRetry  = 100 * time.Millisecond
	lastRetry   = 30 * time.Second
	// steady is how long a life lasts after which the next one need not wait.
	steady = 10 * time.Second
)

// home is where a plugin lives.
type home interface {
	// open has the plugin live there, and says where to connect to. Its error says whether there is a
	// point in trying again before the plugin has lived at all.
	open(ctx context.Context) (*residence, error)
	// patient tells whether somebody else sees to it that the plugin is there, so that a node that starts
	// waits for it.
	patient() bool
}

// residence is where one life takes place.
type residence struct {
	target string
	creds  credentials.TransportCredentials
	over   <-chan struct{} // closed when there is nobody any more
	begins bool            // it may be a while until somebody listens
	// close ends whatever was opened, and returns what is to be known of how it ended, if anything is.
	close func() string
}

// life is a connection over which calls are made.
type life struct {
	link   *link
	client pluginv1.PluginServiceClient
}

// refusal is what a plugin says that cannot work as it is configured.
type refusal struct{ description *pluginv1.Description }

func (r *refusal) Error() string {
	if f := r.description.GetFailure(); f != "" {
		return f
	}
	return fmt.Sprint("it refuses its configuration: ", r.description.GetProblems())
}

// run has the plugin live again and again until ctx ends. first is told once: of nil when it lives, and
// else of why it never will.
func (p *Plugin) run(ctx context.Context, first chan<- error) {
	defer close(p.ended)
	wait, lived := firstRetry, false
	for {
		began, up := time.Now(), false
		err := p.live(ctx, func() {
			began, up = time.Now(), true
			if !lived {
				lived = true
				first <- nil
			}
		})
		var refused *refusal
		switch {
		case ctx.Err() != nil && !lived:
			first <- err
			return
		case ctx.Err() != nil:
			return
		case !lived && (errors.As(err, &refused) || !p.home.patient()):
			first <- err
			return
		case up && time.Since(began) >= steady:
			wait = firstRetry
		}
		p.log.Error("a plugin that runs outside is lost, and is tried again", "error", err, "in", wait)
		select {
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		case <-ctx.Done():
			if !lived {
				first <- err
			}
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

// live is one life. It returns why it is over, and up is called when it begins to be of use.
func (p *Plugin) live(ctx context.Context, up func()) error {
	r, err := p.home.open(ctx)
	if err != nil {
		return err
	}
	within, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-r.over:
			cancel(errors.New("its process has ended"))
		case <-within.Done():
		}
	}()
	err = p.connect(within, cancel, r, up)
	cancel(nil)
	<-watched
	if told := r.close(); told != "" {
		return fmt.Errorf("%w%s", err, told)
	}
	return err
}

// connect says hello and makes calls until the connection is lost or ctx ends.
func (p *Plugin) connect(ctx context.Context, cancel context.CancelCauseFunc, r *residence, up func()) error {
	conn, err := dial(r)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // there is nothing left to be done about it
	client := pluginv1.NewPluginServiceClient(conn)
	late := time.AfterFunc(helloWithin, func() { cancel(fmt.Errorf("it is not ready after %s", helloWithin)) })
	st, err := p.greet(ctx, client, r)
	late.Stop()
	if err != nil {
		return because(ctx, err)
	}
	l := newLink()
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.write(st)
	}()
	go func() {
		<-l.done
		cancel(l.failure()) // neither reader nor writer need have found out
	}()
	p.current.Store(&life{l, client})
	p.meters.connected(true)
	p.log.Info("a plugin that runs outside is ready", "can", p.can)
	up()
	l.read(st)
	p.current.Store(nil)
	p.meters.connected(false)
	<-written
	return because(ctx, l.failure())
}

// because is why something failed: for a reason that is known better, if there is one.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// greet says hello, and learns what the plugin can do.
func (p *Plugin) greet(ctx context.Context, client pluginv1.PluginServiceClient, r *residence) (stream, error) {
	st, err := client.Connect(ctx, grpc.WaitForReady(r.begins))
	if err != nil {
		return nil, err
	}
	if err := st.Send(&pluginv1.NodeFrame{Hello: p.hello}); err != nil {
		_, err = st.Recv() // it says why
		return nil, err
	}
	f, err := st.Recv()
	if err != nil {
		return nil, err
	}
	switch d := f.GetDescription(); {
	case d == nil || len(f.GetAnswers()) > 0:
		return nil, errors.New("its first frame is not its description")
	case len(d.GetProblems()) > 0 || d.GetFailure() != "":
		return nil, &refusal{d}
	default:
		return st, p.settle(d)
	}
}

func dial(r *residence) (*grpc.ClientConn, error) {
	wait := backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.5, Jitter: 0.2, MaxDelay: time.Second}
	return grpc.NewClient(r.target,
		grpc.WithTransportCredentials(r.creds),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: wait, MinConnectTimeout: 5 * time.Second}),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(frames.Codec{}), grpc.MaxCallRecvMsgSize(frames.MaxBytes)),
		grpc.WithInitialWindowSize(1<<20), grpc.WithInitialConnWindowSize(4<<20), // fixed: no pings that measure
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent("hermod"),
	)
}
