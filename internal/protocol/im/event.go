package im

import (
	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
)

// EventContent is a biz.EventEncoder: SystemContent in protobuf.
func EventContent(e biz.Event) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(imcall.Event(&e))
}
