package protocol

import (
	"log/slog"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

var carriedText = frame.NewFormat(frame.Encoders{
	Name:   "carried",
	Body:   func(dst []byte, payload any) ([]byte, error) { return append(dst, payload.(string)...), nil },
	Decode: func(body []byte) (any, error) { return string(body), nil },
})

func whole() *session.Carried {
	at := time.Unix(1, 2).UTC()
	return &session.Carried{
		Options: session.Options{
			ID: "id", User: "u", GID: 7, Device: "d", Format: carriedText, Resume: true, Resend: true, Hold: true, Numbered: true, Replies: true, Asked: 5,
		},
		Follows: true, Names: []string{"old"}, Started: at, Expiry: at.Add(time.Hour), Ticket: "t", Spent: "s", Acked: 3, Reached: 4,
		Queue: []session.CarriedFrame{
			{Body: []byte("4"), Channel: "room:r", Seq: 9, Required: true}, {Body: []byte("5"), Kept: true, Expires: at.Add(time.Minute)},
		},
		Held:   []session.CarriedFrame{{Body: []byte("held")}},
		Bound:  []session.CarriedFrame{{Body: []byte("bound"), Bound: session.Bound{Request: 6, After: true}}},
		Places: []session.CarriedPlace{{Channel: "room:r", Logged: true, Next: 10, Taken: 9, Received: 8, Required: []int64{9}, Replied: []int64{11}}},
	}
}

// TestCarriedCrossesWhole: every field that a session has on its way crosses.
func TestCarriedCrossesWhole(t *testing.T) {
	t.Parallel()
	b, err := proto.Marshal(toWireCarried(whole(), "p", []byte("part")))
	if err != nil {
		t.Fatal(err)
	}
	var w wire.Carried
	if err := proto.Unmarshal(b, &w); err != nil {
		t.Fatal(err)
	}
	got, err := fromWireCarried(&w)
	if err != nil || !reflect.DeepEqual(got, whole()) || w.GetProtocol() != "p" || string(w.GetPart()) != "part" {
		t.Errorf("%+v comes as %+v, %v", whole(), got, err)
	}
	if most := got.Size() + len(got.ID) + len(got.User) + 256; len(b) > most {
		t.Errorf("%d bytes were counted as %d", len(b), got.Size())
	}
}

// FuzzCarried: whatever a node sends, another one makes a session of it or says that it cannot.
func FuzzCarried(f *testing.F) {
	b, err := proto.Marshal(toWireCarried(whole(), "p", nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	core := session.NewCore(session.Config{QueueBytes: 1000}, slog.New(slog.DiscardHandler))
	f.Fuzz(func(_ *testing.T, b []byte) {
		var w wire.Carried
		if proto.Unmarshal(b, &w) != nil {
			return
		}
		c, err := fromWireCarried(&w)
		if err != nil {
			return
		}
		s, _, err := session.Restore(core, c, session.Arrival{Source: func(*session.Session, string) session.Source { return nil }})
		if err != nil {
			return
		}
		s.Reattach(session.Return{Ticket: c.Ticket, Last: c.Acked})
		s.Take(nil, 1<<20, transport.Shutdown)
	})
}
