package quicstream

import (
	"time"

	"github.com/quic-go/quic-go"
)

const (
	// KeepAlive is how often a silent connection is pinged. Clients may have an idle timeout of their
	// own, which pings keep from ending the connection.
	KeepAlive = 10 * time.Second
	// Idle is how long a client may be unheard of before it is given up.
	Idle = 30 * time.Second
	// handshake is how long a client may take to connect.
	handshake = 10 * time.Second

	// The windows are what a client may have on its way that nobody has read yet. What is larger than
	// a window comes in parts.
	initialWindow = 64 << 10
	largestWindow = 512 << 10
)

// Config is what connections of this package are accepted with: one stream of the client, and nothing
// else.
func Config() *quic.Config {
	return &quic.Config{
		HandshakeIdleTimeout:           handshake,
		MaxIdleTimeout:                 Idle,
		KeepAlivePeriod:                KeepAlive,
		MaxIncomingStreams:             1,
		MaxIncomingUniStreams:          -1,
		InitialStreamReceiveWindow:     initialWindow,
		InitialConnectionReceiveWindow: initialWindow,
		MaxStreamReceiveWindow:         largestWindow,
		MaxConnectionReceiveWindow:     largestWindow,
	}
}
