package grpcstream_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
)

// TestOtherMessagesArePlainProtobuf: the codec serves the unary calls of the same server.
func TestOtherMessagesArePlainProtobuf(t *testing.T) {
	t.Parallel()
	c := grpcstream.Codec()
	if c.Name() != "proto" {
		t.Errorf("named %q", c.Name())
	}
	m := wrapperspb.String("hello")
	data, err := c.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back wrapperspb.StringValue
	if err := c.Unmarshal(data, &back); err != nil || !proto.Equal(m, &back) {
		t.Errorf("reads back as %v, %v", &back, err)
	}
	if _, err := c.Marshal("not a message"); err == nil {
		t.Error("something that is no message was encoded")
	}
}
