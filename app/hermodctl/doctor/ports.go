package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/game-im/hermod/internal/conf"
)

// port is a listener of the configuration and a way to tell whether a Hermod has it.
type port struct {
	key, addr string
	tls       *conf.Server_TLS
	hermod    func(ctx context.Context, addr string, secured *tls.Config) (state string, is bool)
	udp       bool
}

// ports finds out whether a node could listen where it is to, or does already.
func ports(ctx context.Context, c *conf.Config) []Finding {
	s := c.GetServer()
	all := []port{
		{"server.im.addr", s.GetIm().GetAddr(), s.GetIm().GetTls(), healthOf("im.v1.IMService"), false},
		{"server.gateway.addr", s.GetGateway().GetAddr(), s.GetGateway().GetTls(), healthOf("hermod.gateway.v1.GatewayService"), false},
		{"server.http.addr", s.GetHttp().GetAddr(), s.GetHttp().GetTls(), recordings, false},
		{"server.ops.addr", s.GetOps().GetAddr(), s.GetOps().GetTls(), readiness, false},
	}
	if addr := s.GetQuic().GetAddr(); addr != "" {
		all = append(all, port{"server.quic.addr", addr, s.GetQuic().GetTls(), handshake, true})
	}
	findings := make([]Finding, len(all))
	var examining sync.WaitGroup // at once, so that one which says nothing takes no time from the others
	for i, p := range all {
		examining.Go(func() { findings[i] = p.examine(ctx) })
	}
	examining.Wait()
	return findings
}

// listen tries whether the port is free.
func (p port) listen(ctx context.Context) error {
	var lis io.Closer
	var err error
	if p.udp {
		lis, err = (&net.ListenConfig{}).ListenPacket(ctx, "udp", p.addr)
	} else {
		lis, err = (&net.ListenConfig{}).Listen(ctx, "tcp", p.addr)
	}
	if err != nil {
		return err
	}
	return lis.Close()
}

func (p port) examine(ctx context.Context) Finding {
	err := p.listen(ctx)
	name := p.key + " " + p.addr
	switch {
	case err == nil:
		return ok(name + " is free")
	case errors.Is(err, syscall.EACCES):
		return failure(name+": "+err.Error(), "take a port above 1023, or give the program the right to use lower ones (CAP_NET_BIND_SERVICE)")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return failure(name+": this machine has no such address", "set "+p.key+" to an address of this machine, or to :PORT for all of them")
	case !errors.Is(err, syscall.EADDRINUSE):
		return failure(name+": "+err.Error(), "correct "+p.key)
	}
	if state, is := p.hermod(ctx, reachable(p.addr), own(p.tls)); is {
		return ok(name + " is held by a Hermod that is " + state)
	}
	shows := "ss -ltnp"
	if p.udp {
		shows = "ss -lunp"
	}
	if ctx.Err() != nil {
		return failure(name+" is held by a program that does not answer", "find it ("+shows+" shows it): a Hermod that hangs, or is stopped, has to be started anew; if it is another program, stop it, or set "+p.key+" to another port")
	}
	return failure(name+" is held by another program", "stop that program ("+shows+" shows it), or set "+p.key+" to another port")
}

// reachable is where a listener is found from this machine: what listens everywhere is asked on the
// loopback.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// own is what a listener of this configuration is connected to with, nil for plain text. What is told
// to it is no secret, and what it answers is believed no more than that of another program, so its name
// does not matter. It may ask for a certificate, and is shown its own.
func own(files *conf.Server_TLS) *tls.Config {
	if !files.Enabled() {
		return nil
	}
	c := &tls.Config{MinVersion: files.Version(), InsecureSkipVerify: true} //nolint:gosec // see above
	if pair, err := files.Certificate(time.Now()); err == nil {
		c.Certificates = []tls.Certificate{*pair}
	}
	return c
}

func healthOf(service string) func(context.Context, string, *tls.Config) (string, bool) {
	return func(ctx context.Context, addr string, secured *tls.Config) (string, bool) {
		creds := insecure.NewCredentials()
		if secured != nil {
			creds = credentials.NewTLS(secured)
		}
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(creds))
		if err != nil {
			return "", false
		}
		defer conn.Close() //nolint:errcheck // nothing is pending
		resp, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: service})
		if err != nil {
			return "", false
		}
		if resp.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return "serving", true
		}
		return "starting or stopping", true
	}
}

// recordings asks for one that no node has: what a node answers says that it is one.
func recordings(ctx context.Context, addr string, secured *tls.Config) (string, bool) {
	said, err := fetch(ctx, addr, "/audio/none", secured)
	return "serving", err == nil && strings.HasPrefix(said, `{"reason":`)
}

func readiness(ctx context.Context, addr string, secured *tls.Config) (string, bool) {
	said, err := fetch(ctx, addr, "/readyz", secured)
	if err != nil || !strings.HasPrefix(said, "ready") && !strings.HasPrefix(said, "not ready") {
		return "", false
	}
	return strings.ReplaceAll(said, "\n", "; "), true
}

// fetch returns the beginning of a page, whatever its status.
func fetch(ctx context.Context, addr, path string, secured *tls.Config) (string, error) {
	scheme := "http://"
	if secured != nil {
		scheme = "https://"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+addr+path, http.NoBody)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{TLSClientConfig: secured}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return strings.TrimSpace(string(text)), err
}
