package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/loopback"
)

// desk is the part of a gateway that services register at. It says what it is told to say.
type desk struct {
	gatewayv1.UnimplementedGatewayServiceServer
	t        *testing.T
	addr     string
	lis      net.Listener
	server   *grpc.Server
	lease    int32
	says     chan func() error // how the next calls fail; none: they do not
	calls    chan *gatewayv1.UpstreamRegisterRequest
	goodbyes chan *gatewayv1.UpstreamDeregisterRequest
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	lis := loopback.Listen(t)
	d := &desk{
		t: t, addr: lis.Addr().String(), lease: 30, says: make(chan func() error, 100),
		calls: make(chan *gatewayv1.UpstreamRegisterRequest, 1000), goodbyes: make(chan *gatewayv1.UpstreamDeregisterRequest, 10),
	}
	d.serve(lis)
	t.Cleanup(d.close)
	return d
}

func (d *desk) serve(lis net.Listener) {
	srv := grpc.NewServer()
	d.server, d.lis = srv, lis
	gatewayv1.RegisterGatewayServiceServer(srv, d)
	go func() {
		if err := srv.Serve(lis); err != nil && !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, net.ErrClosed) {
			d.t.Error(err)
		}
	}()
}

// close is the end of the gateway, even before it has begun to serve.
func (d *desk) close() {
	d.lis.Close()
	d.server.Stop()
}

// reopen serves again where it was served before.
func (d *desk) reopen() {
	d.t.Helper()
	lis, err := net.Listen("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.serve(lis)
}

func (d *desk) RegisterUpstream(_ context.Context, r *gatewayv1.UpstreamRegisterRequest) (*gatewayv1.UpstreamRegisterResponse, error) {
	d.calls <- r
	select {
	case fails := <-d.says:
		err := fails()
		if no, ok := errors.AsType[*upstream.Error](err); ok {
			return &gatewayv1.UpstreamRegisterResponse{ErrorCode: no.Message, Message: "no"}, nil
		}
		return nil, err
	default:
		return &gatewayv1.UpstreamRegisterResponse{Success: true, LeaseSeconds: d.lease}, nil
	}
}

func (d *desk) DeregisterUpstream(_ context.Context, r *gatewayv1.UpstreamDeregisterRequest) (*gatewayv1.UpstreamDeregisterResponse, error) {
	d.goodbyes <- r
	return &gatewayv1.UpstreamDeregisterResponse{}, nil
}

// registrar is one under test, and what it has told.
type registrar struct {
	*upstream.Registrar
	t     *testing.T
	heard chan string // "gateway: registered", or the reason
}

func register(t *testing.T, g upstream.Gateways, opts ...upstream.Option) *registrar {
	t.Helper()
	r := &registrar{t: t, heard: make(chan string, 1000)}
	var err error
	r.Registrar, err = upstream.NewRegistrar(g, upstream.Registration{
		Address: "127.0.0.1:9000", Name: "sample", Zone: "002", Lease: 30 * time.Second, Log: slog.New(slog.DiscardHandler),
		OnChange: func(gateway string, err error) {
			if err == nil {
				err = errors.New("registered")
			}
			r.heard <- fmt.Sprintf("%s: %v", gateway, err)
		},
	}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// hears waits for the next thing that is told.
func (r *registrar) hears(gateway, what string) {
	r.t.Helper()
	select {
	case got := <-r.heard:
		if !strings.HasPrefix(got, gateway+": ") || !strings.Contains(got, what) {
			r.t.Fatalf("heard %q, want %s and %s", got, gateway, what)
		}
	case <-time.After(patience):
		r.t.Fatalf("%s: nothing is heard of %s", gateway, what)
	}
}

func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %T came", *new(T))
	}
	panic("unreachable")
}

// TestRegistration: it says what it is given, renews its lease, and takes leave.
func TestRegistration(t *testing.T) {
	t.Parallel()
	a, b := openDesk(t), openDesk(t)
	b.lease = 1
	r := register(t, upstream.At(a.addr, b.addr), upstream.WithToken("secret"))
	for _, d := range []*desk{a, b} {
		got := next(t, d.calls)
		if got.GetAddress() != "127.0.0.1:9000" || got.GetServiceName() != "sample" || got.GetZoneId() != "002" || got.GetLeaseSeconds() != 30 || !got.GetCurrent() {
			t.Errorf("asked for %v", got)
		}
	}
	heard := []string{next(t, r.heard), next(t, r.heard)}
	for _, d := range []*desk{a, b} {
		if !slices.Contains(heard, d.addr+": registered") {
			t.Errorf("heard %q, nothing of %s", heard, d.addr)
		}
	}
	want := []string{a.addr, b.addr}
	slices.Sort(want)
	if got := r.Registered(); !slices.Equal(got, want) {
		t.Errorf("registered at %q, want %q", got, want)
	}
	for range 3 { // b gives a second
		next(t, b.calls)
	}
	if len(a.calls) > 0 {
		t.Error("a lease of 30 s is renewed after one")
	}
	for range 2 {
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	for _, d := range []*desk{a, b} {
		if got := next(t, d.goodbyes); got.GetAddress() != "127.0.0.1:9000" || got.GetServiceName() != "sample" {
			t.Errorf("took leave with %v", got)
		}
		if len(d.goodbyes) > 0 {
			t.Error("took leave twice")
		}
	}
	if got := r.Registered(); len(got) > 0 || len(r.heard) > 0 {
		t.Errorf("registered at %q, %d more things were heard", got, len(r.heard))
	}
}

// TestRegistrationComesBack: a gateway that was down is registered at as soon as it is there, and that it
// was down is said once.
func TestRegistrationComesBack(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	d.lease = 3600 // no renewal helps
	d.close()
	r := register(t, upstream.At(d.addr))
	r.hears(d.addr, "Unavailable")
	for range 3 {
		d.reopen()
		r.hears(d.addr, "registered")
		next(t, d.calls)
		d.close()
		r.hears(d.addr, "Unavailable")
		if got := r.Registered(); len(got) > 0 {
			t.Errorf("registered at %q, which is down", got)
		}
	}
	d.reopen()
	r.hears(d.addr, "registered")
}

// TestRegistrationIsRefused: the reason is told, each one once, and it is tried again.
func TestRegistrationIsRefused(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	for _, err := range []error{
		upstream.Errorf(0, "INVALID_ZONE_ID"), upstream.Errorf(0, "INVALID_ZONE_ID"),
		status.Error(codes.Unauthenticated, "who are you"), status.Error(codes.Unavailable, "a"), status.Error(codes.DeadlineExceeded, "b"),
	} {
		d.says <- func() error { return err }
	}
	r := register(t, upstream.At(d.addr))
	for _, want := range []string{"INVALID_ZONE_ID", "who are you", "a", "registered"} {
		r.hears(d.addr, want)
	}
	if len(d.calls) != 6 {
		t.Errorf("%d calls, want 6", len(d.calls))
	}
}

// TestGatewaysComeAndGo: gateways that a registry lists are registered at. One that it no longer lists is
// kept while it is there.
func TestGatewaysComeAndGo(t *testing.T) {
	t.Parallel()
	nodes, err := discovery.NewStaticDiscovery()
	if err != nil {
		t.Fatal(err)
	}
	defer nodes.Close()
	list := func(d *desk, id string) {
		host, port, _ := net.SplitHostPort(d.addr)
		var number int
		fmt.Sscan(port, &number)
		if err := nodes.Register(t.Context(), &discovery.ServiceInfo{ID: id, Name: "gateway-service", Address: host, Port: number}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := openDesk(t), openDesk(t)
	a.lease = 1
	r := register(t, upstream.Found(nodes.Watch, "gateway-service"))
	list(a, "a")
	r.hears(a.addr, "registered")
	list(b, "b")
	r.hears(b.addr, "registered")
	if err := nodes.Deregister(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for range cap(a.calls) { // until what is listed has certainly been looked at
		next(t, a.calls)
		if len(a.calls) == 0 {
			break
		}
	}
	next(t, a.calls) // a drains, and is still kept
	a.close()
	r.hears(a.addr, "Unavailable")
	a.reopen()
	list(a, "a again")
	r.hears(a.addr, "registered")
	if err := r.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	next(t, a.goodbyes)
	next(t, b.goodbyes)
}

// TestStopDoesNotHang: a gateway that does not answer holds nobody up for longer than he is willing to wait.
func TestStopDoesNotHang(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	hang := make(chan struct{})
	defer close(hang)
	d.says <- func() error { <-hang; return nil }
	r := register(t, upstream.At(d.addr))
	next(t, d.calls)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := r.Stop(ctx); err != nil { // it never was registered
		t.Error(err)
	}
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
}

// TestStopLogsWhoWasNotTold names the gateway that goes on believing in the service.
func TestStopLogsWhoWasNotTold(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	var log page
	registered := make(chan error, 1)
	r, err := upstream.NewRegistrar(upstream.At(d.addr), upstream.Registration{
		Address: "127.0.0.1:9000", Name: "s", Log: slog.New(slog.NewTextHandler(&log, nil)), OnChange: func(_ string, err error) { registered <- err },
	}, upstream.WithTokenSource(tokenOnce()))
	if err := errors.Join(err, r.Start(t.Context()), next(t, registered), r.Stop(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"was not told", d.addr, "no more tokens"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, &log)
		}
	}
}

func tokenOnce() func(context.Context) (string, error) {
	tokens := make(chan string, 1)
	tokens <- "secret"
	return func(context.Context) (string, error) {
		select {
		case token := <-tokens:
			return token, nil
		default:
			return "", errors.New("no more tokens")
		}
	}
}

func TestRegistrationsThatAreWrong(t *testing.T) {
	t.Parallel()
	for want, wrong := range map[string]upstream.Registration{
		`"" is not an address`:               {Name: "s"},
		`"localhost" is not an address`:      {Name: "s", Address: "localhost"},
		`"localhost:grpc" is not an address`: {Name: "s", Address: "localhost:grpc"},
		`"localhost:0" is not an address`:    {Name: "s", Address: "localhost:0"},
		`":9000" is none that a gateway`:     {Name: "s", Address: ":9000"},
		`"0.0.0.0:9000" is none`:             {Name: "s", Address: "0.0.0.0:9000"},
		`"[::]:9000" is none`:                {Name: "s", Address: "[::]:9000"},
		"neither Name nor Zone":              {Address: "localhost:9000"},
		"Lease 1s":                           {Name: "s", Address: "localhost:9000", Lease: time.Second},
		"Lease -3s":                          {Name: "s", Address: "localhost:9000", Lease: -3 * time.Second},
		"Lease 3.5s":                         {Name: "s", Address: "localhost:9000", Lease: 3500 * time.Millisecond},
	} {
		if _, err := upstream.NewRegistrar(upstream.At(), wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", wrong, err, want)
		}
	}
	for want, gateways := range map[string]upstream.Gateways{
		"no registry":           func(context.Context) (<-chan []string, error) { return nil, errors.New("no registry") },
		"an address is missing": upstream.At(),
		"host:port":             upstream.At("localhost:8082", ""),
	} {
		r, err := upstream.NewRegistrar(gateways, upstream.Registration{Name: "s", Address: "localhost:9000"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without gateways: %v, want %s", err, want)
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
