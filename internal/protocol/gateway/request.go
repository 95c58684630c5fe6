package gateway

import (
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// codec reads what clients send in one format.
type codec struct{ json bool }

func codecOf(f *frame.Format) codec { return codec{json: f == JSON} }

func (c codec) request(data []byte) (*gatewayv1.ClientRequest, *biz.Error) {
	req := &gatewayv1.ClientRequest{}
	if err := c.unmarshal(data, req, c.json); err != nil {
		return nil, malformed("the frame is not a ClientRequest", err)
	}
	return req, nil
}

// payload reads what a request carries. In a JSON frame that is JSON too, which begins with a brace as
// no message of the protocol in protobuf does, or protobuf.
func (c codec) payload(req *gatewayv1.ClientRequest, into proto.Message) *biz.Error {
	return c.embedded(req.GetPayload(), into, "payload")
}

// embedded reads a message that stands in a field of another one.
func (c codec) embedded(data []byte, into proto.Message, field string) *biz.Error {
	if err := c.unmarshal(data, into, c.json && len(data) > 0 && data[0] == '{'); err != nil {
		return malformed("the "+field+" is not a "+string(into.ProtoReflect().Descriptor().Name()), err)
	}
	return nil
}

func (c codec) unmarshal(data []byte, into proto.Message, json bool) error {
	if json {
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, into)
	}
	return proto.Unmarshal(data, into)
}

// malformed tells what is wrong, in a text that can be encoded: a parser's words may have bytes of what
// it has read in them.
func malformed(what string, err error) *biz.Error {
	return biz.Errorf(biz.KindInvalid, "MALFORMED", "%s: %s", what, strings.ToValidUTF8(err.Error(), "\uFFFD"))
}

// Field numbers of the older numbering of StartRequest: 2 is the token, 3 the last frame that the
// client has.
const oldFieldLastAcked = 3

// start reads a StartRequest in either numbering. A number in field 3, where the present numbering has
// a text, gives the older one away. Without a number, as in the first START of a program, field 2 is
// the token in the one and the client's id in the other: alone, it is taken for both.
func (c codec) start(req *gatewayv1.ClientRequest) (*gatewayv1.StartRequest, *biz.Error) {
	start := &gatewayv1.StartRequest{}
	if err := c.payload(req, start); err != nil {
		return nil, err
	}
	if last, old := oldLastAcked(start.ProtoReflect().GetUnknown()); old {
		start.AuthToken, start.ClientId = start.GetClientId(), ""
		start.LastAckedSeqId = max(start.GetLastAckedSeqId(), last)
	} else if ambiguous(start) {
		start.AuthToken = start.GetClientId()
		if len(start.GetClientId()) > biz.MaxIDBytes {
			start.ClientId = ""
		}
	}
	return start, nil
}

// ambiguous tells whether a StartRequest may be of either numbering.
func ambiguous(start *gatewayv1.StartRequest) bool {
	return start.GetAuthToken() == "" && start.GetLastAckedSeqId() == 0 && start.GetResumeTicket() == "" &&
		start.GetDeviceId() == "" && start.GetDeviceClass() == ""
}

// oldLastAcked finds the number among the fields that the present numbering does not know.
func oldLastAcked(unknown []byte) (last uint64, found bool) {
	for len(unknown) > 0 {
		num, typ, n := protowire.ConsumeTag(unknown)
		if n < 0 {
			return last, found
		}
		unknown = unknown[n:]
		if num == oldFieldLastAcked && typ == protowire.VarintType {
			v, m := protowire.ConsumeVarint(unknown)
			if m < 0 {
				return last, found
			}
			last, found = v, true
		}
		if n = protowire.ConsumeFieldValue(num, typ, unknown); n < 0 {
			return last, found
		}
		unknown = unknown[n:]
	}
	return last, found
}
