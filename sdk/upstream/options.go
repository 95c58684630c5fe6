package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// defaultTimeout bounds calls whose context has no deadline.
const defaultTimeout = 10 * time.Second

type config struct {
	tls     *tls.Config // nil: plain text
	token   func(context.Context) (string, error)
	timeout time.Duration
	dial    []grpc.DialOption
}

// Option configures a UnicastClient.
type Option func(*config)

// WithTLS has calls encrypted. A nil config trusts the system's authorities; one with Certificates
// shows them to the gateway.
func WithTLS(cfg *tls.Config) Option {
	return func(c *config) {
		if c.tls = cfg; cfg == nil {
			c.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
}

// WithInsecure has calls made in plain text, which is the default.
func WithInsecure() Option { return func(c *config) { c.tls = nil } }

// WithToken sends a service token with every call. Empty: none. Without WithTLS whoever can listen to
// the network can read it.
func WithToken(token string) Option {
	if token == "" {
		return func(c *config) { c.token = nil }
	}
	return WithTokenSource(func(context.Context) (string, error) { return token, nil })
}

// WithTokenSource asks for the token at every call, from several goroutines. The source should cache
// what it returns. A call whose source fails is ErrNoToken and wraps the source's error.
func WithTokenSource(source func(context.Context) (string, error)) Option {
	return func(c *config) { c.token = source }
}

// WithTimeout bounds calls whose context has no deadline; a WaitForAck comes on top. Default 10 s.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// WithDialOptions adds to the client's own dial options, and wins over them.
func WithDialOptions(opts ...grpc.DialOption) Option {
	return func(c *config) { c.dial = append(c.dial, opts...) }
}

func (c *config) dialOptions() []grpc.DialOption {
	security := insecure.NewCredentials()
	if c.tls != nil {
		security = credentials.NewTLS(c.tls)
	}
	return append([]grpc.DialOption{grpc.WithTransportCredentials(security)}, c.dial...)
}

func (c *config) authorize(ctx context.Context) (context.Context, error) {
	if c.token == nil {
		return ctx, nil
	}
	token, err := c.token(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoToken, err)
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), nil
}
