package doctor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/game-im/hermod/internal/conf"
)

// port is a listener of the configuration and a way to tell whether a Hermod has it.
type port struct {
	key, addr string
	hermod    func(ctx context.Context, addr string) (state string, is bool)
}

// ports finds out whether a node could listen where it is to, or does already.
func ports(ctx context.Context, c *conf.Config) []Finding {
	s := c.GetServer()
	var findings []Finding
	for _, p := range []port{
		{"server.im.addr", s.GetIm().GetAddr(), healthOf("im.v1.IMService")},
		{"server.gateway.addr", s.GetGateway().GetAddr(), healthOf("hermod.gateway.v1.GatewayService")},
		{"server.http.addr", s.GetHttp().GetAddr(), recordings},
		{"server.ops.addr", s.GetOps().GetAddr(), readiness},
	} {
		findings = append(findings, p.examine(ctx))
	}
	return findings
}

func (p port) examine(ctx context.Context) Finding {
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.addr)
	if err == nil {
		err = lis.Close()
	}
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
	if state, is := p.hermod(ctx, reachable(p.addr)); is {
		return ok(name + " is held by a Hermod that is " + state)
	}
	return failure(name+" is held by another program", "stop that program (ss -ltnp shows it), or set "+p.key+" to another port")
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

func healthOf(service string) func(context.Context, string) (string, bool) {
	return func(ctx context.Context, addr string) (string, bool) {
		conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
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
func recordings(ctx context.Context, addr string) (string, bool) {
	said, err := fetch(ctx, "http://"+addr+"/audio/none")
	return "serving", err == nil && strings.HasPrefix(said, `{"reason":`)
}

func readiness(ctx context.Context, addr string) (string, bool) {
	said, err := fetch(ctx, "http://"+addr+"/readyz")
	if err != nil || !strings.HasPrefix(said, "ready") && !strings.HasPrefix(said, "not ready") {
		return "", false
	}
	return strings.ReplaceAll(said, "\n", "; "), true
}

// fetch returns the beginning of a page, whatever its status.
func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return strings.TrimSpace(string(text)), err
}
