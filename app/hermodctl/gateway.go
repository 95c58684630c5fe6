package hermodctl

import (
	"os"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
	"github.com/spf13/pflag"
)

// gatewayFlags are the flags of commands that call a gateway as a service does.
type gatewayFlags struct {
	addr, token string
	tls         tlsFlags
	timeout     time.Duration
}

func (f *gatewayFlags) register(flags *pflag.FlagSet, timeout string) {
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8082", "gateway gRPC address")
	flags.StringVar(&f.token, "token", os.Getenv("HERMOD_TOKEN"), "token of the service (default $HERMOD_TOKEN)")
	flags.Lookup("token").DefValue = "" // the help must not show it
	f.tls.register(flags)
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, timeout)
}

// connect returns a client, which the caller closes. It does not wait for the gateway.
func (f *gatewayFlags) connect() (*upstream.UnicastClient, error) {
	if err := checkAddress(f.addr); err != nil {
		return nil, err
	}
	if f.timeout <= 0 {
		return nil, usagef("--timeout %v is too short; a positive duration such as 5s is allowed", f.timeout)
	}
	options := []upstream.Option{upstream.WithToken(f.token), upstream.WithTimeout(f.timeout)}
	secured, err := f.tls.config()
	if err != nil {
		return nil, err
	}
	if secured != nil {
		options = append(options, upstream.WithTLS(secured))
	}
	client := upstream.NewUnicastClient(f.addr, options...)
	if err := client.Connect(); err != nil {
		return nil, err
	}
	return client, nil
}
