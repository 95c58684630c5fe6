package hermodctl

import (
	"os"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// imFlags are the flags of commands that call the IM service without a session.
type imFlags struct {
	addr, token string
	tls         tlsFlags
	timeout     time.Duration
}

func (f *imFlags) register(flags *pflag.FlagSet, token string) {
	f.registerAt(flags, "127.0.0.1:8083", "IM gRPC address", token)
}

// registerAt is register for another listener.
func (f *imFlags) registerAt(flags *pflag.FlagSet, addr, what, token string) {
	flags.StringVar(&f.addr, "addr", addr, what)
	flags.StringVar(&f.token, "token", os.Getenv("HERMOD_TOKEN"), token)
	flags.Lookup("token").DefValue = "" // the help must not show it
	f.tls.register(flags)
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for one answer")
}

func (f *imFlags) check() error {
	if f.timeout <= 0 {
		return usagef("--timeout %v is too short; a positive duration such as 5s is allowed", f.timeout)
	}
	return checkAddress(f.addr)
}

// connect does not wait for the node.
func (f *imFlags) connect() (*grpc.ClientConn, error) {
	secured, err := f.tls.config()
	if err != nil {
		return nil, err
	}
	with := insecure.NewCredentials()
	if secured != nil {
		with = credentials.NewTLS(secured)
	}
	return grpc.NewClient(f.addr,
		grpc.WithTransportCredentials(with),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(largestPage)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 200 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 3 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}))
}

// largestPage is more than any page has: one message may be larger than pages are otherwise.
const largestPage = 64 << 20
