package im

import (
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// EventContent is a biz.EventEncoder: SystemContent in protobuf.
func EventContent(event string, data map[string]string) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(&imv1.SystemContent{EventType: event, EventData: data})
}
