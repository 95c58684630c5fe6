package upstream

import (
	"context"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
	"github.com/game-im/hermod/internal/biz"
)

const (
	// busyRetry is what clients of a service that says it is busy are advised to wait.
	busyRetry = time.Second
	// tooLarge is how gRPC says that an answer exceeds maxResponseBytes. Its code is the one of a busy
	// service, and to send it again would not help.
	tooLarge = "received message larger than max"
)

func requestOf(r *biz.UpstreamRequest) *upstreamv1.UpstreamRequest {
	return &upstreamv1.UpstreamRequest{
		SessionId: string(r.Session), Openid: string(r.Identity.User), Action: r.Action,
		Params: r.Params, Data: r.Data, Headers: r.Headers, ClientSeqId: r.ClientSeq,
	}
}

func responseOf(r *upstreamv1.UpstreamResponse) *biz.UpstreamResponse {
	return &biz.UpstreamResponse{Code: r.GetCode(), Message: r.GetMessage(), Data: r.GetData(), Headers: r.GetHeaders()}
}

// explained says what a gRPC error means for the client and for whoever asks the services. Texts are
// the node's own: what a service says in an error, or the library of a connection, is for logs.
func explained(ctx context.Context, err error, sent bool) error {
	cause := err
	if !sent {
		cause = errors.Join(biz.ErrNotSent, err)
	}
	code := status.Code(err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return biz.Errorf(biz.KindCanceled, "CANCELED", "the node stopped before the service has answered").Because(err)
	case code == codes.DeadlineExceeded:
		return biz.Errorf(biz.KindUnavailable, biz.ReasonUpstreamTimeout, "the service did not answer in time; whether it did what was asked is not known").Because(cause)
	case code == codes.Unavailable:
		return biz.Errorf(biz.KindUnavailable, biz.ReasonUpstreamUnavailable, "the service cannot be reached; send it again later").Because(cause)
	case code == codes.ResourceExhausted && !strings.Contains(err.Error(), tooLarge):
		return biz.Errorf(biz.KindResourceLimit, biz.ReasonUpstreamBusy, "the service is busy; send it again later").After(busyRetry).Because(err)
	}
	return biz.Errorf(biz.KindInternal, biz.ReasonUpstreamFailed, "the service failed").Because(err)
}

func notConnected(err error) error {
	return biz.Errorf(biz.KindUnavailable, biz.ReasonUpstreamUnavailable, "the service cannot be reached; send it again later").
		Because(errors.Join(biz.ErrNotSent, err))
}
