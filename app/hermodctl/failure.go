package hermodctl

import (
	"errors"
	"fmt"

	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// describe puts an error of a call to addr in words that help, keeping the server's own.
func describe(err error, addr string) error {
	with, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err)
	if !ok {
		return err
	}
	st := with.GRPCStatus()
	reason := client.Reason(err)
	answered := reason != "" // a network that fails gives none
	if !answered {
		reason = st.Code().String()
	}
	switch st.Code() {
	case codes.Unavailable:
		if answered {
			break
		}
		return fmt.Errorf("no node answers at %s; is one running there, and does it speak TLS (--tls) where this was not asked for, or the other way round? (%s)", addr, st.Message())
	case codes.Unauthenticated:
		return fmt.Errorf("%s wants to know who is calling; give --token: %s (%s)", addr, st.Message(), reason)
	case codes.Unimplemented:
		return fmt.Errorf("the node at %s does not know this call: it is too old for it (%s)", addr, st.Message())
	case codes.DeadlineExceeded:
		return fmt.Errorf("no answer from %s in time; whether it took effect is not known", addr)
	}
	return fmt.Errorf("%s (%s)", st.Message(), reason)
}
