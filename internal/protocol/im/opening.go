package im

import (
	"strconv"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// Metadata keys of the stream's request. That names are matched in lower case is gRPC's doing.
const (
	keyRoom         = "room-id"
	keySession      = "session-id"
	keyTicket       = "resume-ticket"
	keyLastLink     = "last-link-seq"
	keyCapabilities = "capabilities"
)

// Opening is what a client says when it opens its stream.
type Opening struct {
	Identity biz.Identity  // as far as it is known
	Format   *frame.Format // Proto or JSON; nil: Proto
	Room     biz.RoomID    // the one room it follows from the start; empty: none named
	Session  string        // the session to resume; empty: none
	Ticket   string
	LastLink uint64

	// What the client can do.
	Ack      bool // wants an ACK for each send
	Resume   bool
	Batch    bool // understands envelopes
	Rooms    bool // follows all of its user's rooms even if it names one
	Greeting bool // wants the response headers as a frame, since it cannot read them
	Events   bool // wants what is told to those who are there: EPHEMERAL and PRESENCE

	holder *biz.Identity // whose session it is, for what lives as long as the session
}

// ReadOpening reads the request's metadata.
func ReadOpening(id biz.Identity, get func(key string) string) (Opening, error) {
	o := Opening{
		Identity: id,
		Room:     biz.RoomID(get(keyRoom)),
		Session:  get(keySession),
		Ticket:   get(keyTicket),
	}
	if s := get(keyLastLink); s != "" {
		var err error
		if o.LastLink, err = strconv.ParseUint(s, 10, 64); err != nil {
			return o, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "metadata %s: %q is not a number", keyLastLink, s)
		}
	}
	for name := range strings.SplitSeq(get(keyCapabilities), ",") {
		switch strings.TrimSpace(name) { // unknown ones are of a newer client: ignored
		case "ack":
			o.Ack = true
		case "resume":
			o.Resume = true
		case "batch":
			o.Batch = true
		case "rooms":
			o.Rooms = true
		case "greeting":
			o.Greeting = true
		case "events":
			o.Events = true
		}
	}
	return o, nil
}

// ReadHello reads the first frame of a connection whose transport has no headers: a HEARTBEAT, whose
// metadata is what ReadOpening reads.
func ReadHello(format *frame.Format, data []byte) (get func(key string) string, err error) {
	hello, err := request(format, data)
	if err != nil {
		return nil, err
	}
	if hello.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
		return nil, biz.Errorf(biz.KindInvalid, "NOT_STARTED", "the first frame must be a HEARTBEAT whose metadata says who is there")
	}
	md := hello.GetMetadata()
	return func(key string) string { return md[key] }, nil
}

// Welcome is what the server answers, once the session exists.
type Welcome struct {
	Session   string
	Ticket    string // empty: the session cannot be resumed
	Resumed   bool
	Heartbeat int // seconds

	SendsPerSecond float64 // 0: no limit
	SendBurst      int
}

// Headers returns the welcome as the response's metadata.
func (w Welcome) Headers() map[string]string {
	h := map[string]string{
		keySession:          w.Session,
		"resumed":           strconv.FormatBool(w.Resumed),
		"heartbeat-seconds": strconv.Itoa(w.Heartbeat),
	}
	if w.Ticket != "" {
		h[keyTicket] = w.Ticket
	}
	if w.SendsPerSecond > 0 {
		h["sends-per-second"] = strconv.FormatFloat(w.SendsPerSecond, 'f', -1, 64)
		h["send-burst"] = strconv.Itoa(w.SendBurst)
	}
	return h
}
