package sample

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

var errUsage = errors.New("upstream -h shows what is allowed")

// options is what the command line says.
type options struct {
	addr, announce, gateway, name, zone, token string
	version                                    bool
}

const usage = `upstream is a sample business service: it registers at a Hermod gateway and answers what
the gateway's clients ask for.

With a node that was started with its defaults ('make run') it needs no flags. A gateway
that wants to know who is calling is shown the token in $HERMOD_SERVICE_TOKEN.

Actions:
  hello, login, auth, signin   (name)  log the session in; logout takes leave
  echo                                 the data comes back
  time                                 the service's clock
  calculate  (operation add|subtract|multiply|divide, a, b)
  status, session_info, user_list      what the service knows
  broadcast  (message)                 a push to everybody who is connected
  before, after                        a push right before, or right after, the answer

Flags:
`

func parseFlags(args []string, out io.Writer) (options, error) {
	o := options{token: os.Getenv("HERMOD_SERVICE_TOKEN")}
	fs := flag.NewFlagSet("upstream", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&o.addr, "addr", "127.0.0.1:9000", "`host:port` to listen on; port 0 is any that is free")
	fs.StringVar(&o.announce, "announce", "", "`host:port` that the gateway reaches the service at, if that is not\nwhere it listens")
	fs.StringVar(&o.gateway, "gateway", "127.0.0.1:8082", "`host:port` of the gateway's gRPC listener, to register at and to push through")
	fs.StringVar(&o.name, "name", "sample", "what rules of the gateway call the service")
	fs.StringVar(&o.zone, "zone", "", "the zone whose clients it answers, 001 to 006 (default all)")
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, errUsage // the flag package has said what was wrong
	case fs.NArg() > 0:
		return o, fmt.Errorf("upstream takes no arguments, only flags; got %q: %w", strings.Join(fs.Args(), " "), errUsage)
	case o.version:
		_, err := fmt.Fprintln(out, "upstream", Version)
		return o, err
	}
	err := o.check()
	return o, err
}

func (o *options) check() error {
	if o.name == "" {
		return fmt.Errorf("-name is empty: %w", errUsage)
	}
	for name, addr := range map[string]string{"addr": o.addr, "gateway": o.gateway, "announce": o.announce} {
		if _, port, err := net.SplitHostPort(addr); addr != "" && (err != nil || port == "") || addr == "" && name != "announce" {
			return fmt.Errorf("-%s %q is not an address; host:port is allowed: %w", name, addr, errUsage)
		}
	}
	return nil
}
