package gateway

import (
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// Opening is what a transport knows of a connection before its client has said anything.
type Opening struct {
	// Identity is who the transport found the client to be, by an Authorization header or the like;
	// it goes before what START says. Without a User and the role of a service, START has to prove it.
	Identity biz.Identity
	// Format is that of the connection: Proto or JSON. A session may change it with its connection.
	Format *frame.Format
	// Transport names the transport in metrics and logs: grpc, websocket, quic.
	Transport string
	// Remote is the client's address, for logs.
	Remote string
}
