package hermod

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-kratos/kratos/v2/transport"
)

// deadline is when whatever still runs is stopped by force. There is none before a stop begins. Safe
// for concurrent use.
type deadline struct{ at atomic.Pointer[time.Time] }

func (d *deadline) set(at time.Time) { d.at.Store(&at) }

// of returns the servers, which stop by the deadline from then on. Kratos gives each a time of its own
// that begins when draining has ended: whatever took longer before would come on top.
func (d *deadline) of(servers ...endpointServer) []transport.Server {
	punctual := make([]transport.Server, len(servers))
	for i, s := range servers {
		punctual[i] = punctualServer{s, d}
	}
	return punctual
}

type endpointServer interface {
	transport.Server
	transport.Endpointer
}

type punctualServer struct {
	endpointServer
	by *deadline
}

// Stop implements transport.Server.
func (s punctualServer) Stop(ctx context.Context) error {
	if at := s.by.at.Load(); at != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, *at)
		defer cancel()
	}
	return s.endpointServer.Stop(ctx)
}
