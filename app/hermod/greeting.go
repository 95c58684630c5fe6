package hermod

import (
	"fmt"
	"io"
	"strings"

	"github.com/game-im/hermod/internal/conf"
)

// greet tells whoever started the node what it serves and, on a node for trying things out, what to
// try next.
func (a *app) greet(out io.Writer) error {
	im, err := a.IM.Endpoint()
	if err != nil {
		return err
	}
	gateway, err := a.Gateway.Endpoint()
	if err != nil {
		return err
	}
	http, err := a.HTTP.Endpoint()
	if err != nil {
		return err
	}
	ops, err := a.Ops.Endpoint()
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Hermod %s is ready.\n\n", Version)
	fmt.Fprintf(&b, "  clients   %-22s im.v1 and the gateway protocol over gRPC\n", im.Host)
	fmt.Fprintf(&b, "  services  %-22s GatewayService over gRPC\n", gateway.Host)
	fmt.Fprintf(&b, "  http      %-22s /im and /ws over WebSocket, /audio/{id}\n", http.Host)
	if a.Conf.GetServer().GetQuic().GetAddr() != "" {
		quic, err := a.QUIC.Endpoint()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "  quic      %-22s the gateway protocol, ALPN gatesvr\n", quic.Host)
	}
	fmt.Fprintf(&b, "  ops       %s/metrics, /readyz\n", ops)
	fmt.Fprintf(&b, "  data      %s\n", a.Conf.GetData().GetDir())
	if a.Conf.GetAuth().GetMode() == conf.ModeDev {
		fmt.Fprintf(&b, tryNext,
			hint("--addr", im.Host, defaultIM)+secured(a.Conf.GetServer().GetIm().GetTls()),
			hint("--addr", gateway.Host, defaultGateway)+secured(a.Conf.GetServer().GetGateway().GetTls()))
		a.Log.Warn("auth.mode is dev: whoever can connect is believed to be who he says he is")
	}
	_, err = io.WriteString(out, b.String())
	return err
}

// The addresses that hermodctl uses unless told otherwise.
const (
	defaultIM      = "127.0.0.1:8083"
	defaultGateway = "127.0.0.1:8082"
)

const tryNext = `
Now, in two other terminals, let two people meet:

  go run ./app/hermodctl/cmd/hermodctl chat --user alice --room lobby%[1]s
  go run ./app/hermodctl/cmd/hermodctl chat --user bob --room lobby%[1]s

and tell one of them something, as a service would:

  go run ./app/hermodctl/cmd/hermodctl push --openid alice --title Hello --content "from a service"%[2]s

`

// secured is the flags for a listener that speaks TLS. Whom to trust, and which certificate to show,
// is for the reader to fill in.
func secured(t *conf.Server_TLS) string {
	switch {
	case !t.Enabled():
		return ""
	case t.GetClientCaFile() != "":
		return " --ca FILE --cert FILE --key FILE"
	}
	return " --ca FILE"
}

// hint is a flag with its value where that is not the default.
func hint(flag, value, standard string) string {
	if value == standard {
		return ""
	}
	return " " + flag + " " + value
}
