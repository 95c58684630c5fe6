package doctor

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
)

// registration finds out whether the registry answers, with these credentials, and lists this node.
func registration(ctx context.Context, c *conf.Config) []Finding {
	r := c.GetRegistry()
	if r.GetType() == conf.RegistryNone {
		return []Finding{ok("no registry is configured; consumers need the address of the node")}
	}
	if !r.Shipped() {
		return []Finding{ok("registry.type " + r.GetType() + " is a plugin of the node's own, which hermodctl cannot ask; the node's /readyz says how it stands")}
	}
	listed, missing, err := lookUp(ctx, c)
	name := r.GetType() + " at " + r.GetAddrs()
	if err != nil {
		return []Finding{warning(name+" does not do its work: "+err.Error(),
			"start it, or correct registry.addrs; if it refuses this node: registry.username and password, or token; if certificates do not fit: registry.tls")}
	}
	if len(missing) == 0 {
		return []Finding{ok(name + " lists this node as " + strings.Join(listed, ", "))}
	}
	text := fmt.Sprintf("%s answers and does not list this node as %s", name, strings.Join(missing, ", "))
	ops := c.GetServer().GetOps()
	if state, is := readiness(ctx, reachable(ops.GetAddr()), own(ops.GetTls())); is && strings.HasPrefix(state, "ready") {
		return []Finding{warning(text+", and a node runs here",
			"see what its /readyz says of the registry, and whether it was started with the same registry section")}
	}
	return []Finding{ok(text + "; no node runs here that is ready")}
}

// lookUp asks for each service of this node.
func lookUp(ctx context.Context, c *conf.Config) (listed, missing []string, err error) {
	dir, err := os.MkdirTemp("", "hermodctl-") // Nacos' client writes a log
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	r, err := registry.Open(c.GetRegistry(), dir)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close() //nolint:errcheck // nothing was registered
	s := c.GetServer()
	im, err := net.ResolveTCPAddr("tcp", s.GetIm().GetAddr())
	if err != nil {
		return nil, nil, err
	}
	gateway, err := net.ResolveTCPAddr("tcp", s.GetGateway().GetAddr())
	if err != nil {
		return nil, nil, err
	}
	at, err := registry.Advertised(c.GetRegistry(), unbound(im), unbound(gateway))
	if err != nil {
		return nil, nil, err
	}
	at.IM.Secure, at.Gateway.Secure = s.GetIm().GetTls().Enabled(), s.GetGateway().GetTls().Enabled()
	for _, i := range registry.Instances(c.GetRegistry(), at, "") {
		there, err := r.Listed(ctx, i)
		if err != nil {
			return nil, nil, err
		}
		if name := i.Name() + " at " + i.Addr(); there {
			listed = append(listed, name)
		} else {
			missing = append(missing, name)
		}
	}
	return listed, missing, nil
}

// unbound gives a listener of ":PORT" the address that it will have.
func unbound(a *net.TCPAddr) *net.TCPAddr {
	if a.IP == nil {
		a.IP = net.IPv6unspecified
	}
	return a
}
