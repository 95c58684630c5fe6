package doctor

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/quic-go/quic-go"
)

// answerWithin is how long a UDP port may take to answer behind which there may be no QUIC at all.
const answerWithin = 3 * time.Second

// handshake connects as a client of the gateway protocol does, and says nothing that is a START: a node
// that serves answers with a refusal, and one that does not hangs up with the reason.
func handshake(ctx context.Context, addr string, secured *tls.Config) (state string, is bool) {
	if secured == nil { // the node has made a certificate for itself
		secured = &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true} //nolint:gosec // as in own
	}
	secured.NextProtos = []string{"gatesvr"}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	conn, err := quic.DialAddr(ctx, addr, secured, nil)
	if err != nil {
		return "", false
	}
	err = say(ctx, conn)
	_ = conn.CloseWithError(0, "") // it may be closed
	if closed, ok := errors.AsType[*quic.ApplicationError](err); ok && closed.Remote {
		return "turning clients away: " + closed.ErrorMessage, true
	}
	return "serving", err == nil
}

// say sends an empty frame and waits for the first byte of an answer.
func say(ctx context.Context, conn *quic.Conn) error {
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	if err := stream.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := stream.Write(make([]byte, 4)); err != nil {
		return err
	}
	_, err = stream.Read(make([]byte, 1))
	return err
}
