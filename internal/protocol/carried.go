package protocol

import (
	"fmt"

	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// toWireCarried is a session as nodes send it to each other.
func toWireCarried(c *session.Carried, protocol string, part []byte) *wire.Carried {
	w := &wire.Carried{
		Id: c.ID, User: c.User, Gid: c.GID, Device: c.Device, Format: c.Format.Name,
		Resend: c.Resend, Numbered: c.Numbered, Replies: c.Replies, Barred: c.Hold, Follows: c.Follows,
		Started: nanoseconds(c.Started), Expiry: nanoseconds(c.Expiry), Ticket: c.Ticket, Spent: c.Spent,
		Acked: c.Acked, Reached: c.Reached, Asked: c.Asked,
		Events: c.Events,
		Queue:  toWireFrames(c.Queue), Held: toWireFrames(c.Held), Bound: toWireFrames(c.Bound),
		Names: c.Names, Protocol: protocol, Part: part,
	}
	for i := range c.Places {
		p := &c.Places[i]
		w.Places = append(w.Places, &wire.CarriedPlace{
			Channel: p.Channel, Logged: p.Logged, Next: p.Next, Taken: p.Taken, Received: p.Received, Required: p.Required, Replied: p.Replied,
		})
	}
	return w
}

// fromWireCarried is an error when this node cannot go on with the session.
func fromWireCarried(w *wire.Carried) (*session.Carried, error) {
	format := frame.Named(w.GetFormat())
	if format == nil || w.GetId() == "" || w.GetUser() == "" || w.GetTicket() == "" {
		return nil, fmt.Errorf("protocol: a session %q of %q in format %q cannot go on here", w.GetId(), w.GetUser(), w.GetFormat())
	}
	c := &session.Carried{
		Options: session.Options{
			ID: w.GetId(), User: w.GetUser(), GID: w.GetGid(), Device: w.GetDevice(), Format: format, Resume: true,
			Resend: w.GetResend(), Numbered: w.GetNumbered(), Replies: w.GetReplies(), Events: w.GetEvents(), Hold: w.GetBarred(), Asked: w.GetAsked(),
		},
		Follows: w.GetFollows(), Names: w.GetNames(), Started: moment(w.GetStarted()), Expiry: moment(w.GetExpiry()),
		Ticket: w.GetTicket(), Spent: w.GetSpent(), Acked: w.GetAcked(), Reached: w.GetReached(),
		Queue: fromWireFrames(w.GetQueue()), Held: fromWireFrames(w.GetHeld()), Bound: fromWireFrames(w.GetBound()),
	}
	for _, p := range w.GetPlaces() {
		c.Places = append(c.Places, session.CarriedPlace{
			Channel: p.GetChannel(), Logged: p.GetLogged(), Next: p.GetNext(), Taken: p.GetTaken(), Received: p.GetReceived(),
			Required: p.GetRequired(), Replied: p.GetReplied(),
		})
	}
	return c, nil
}

func toWireFrames(frames []session.CarriedFrame) []*wire.CarriedFrame {
	all := make([]*wire.CarriedFrame, len(frames))
	for i := range frames {
		f := &frames[i]
		all[i] = &wire.CarriedFrame{
			Body: f.Body, Expires: nanoseconds(f.Expires), Channel: f.Channel, Seq: f.Seq, Required: f.Required, Kept: f.Kept,
			Request: f.Bound.Request, After: f.Bound.After,
		}
	}
	return all
}

func fromWireFrames(frames []*wire.CarriedFrame) []session.CarriedFrame {
	all := make([]session.CarriedFrame, len(frames))
	for i, f := range frames {
		all[i] = session.CarriedFrame{
			Body: f.GetBody(), Expires: moment(f.GetExpires()), Channel: f.GetChannel(), Seq: f.GetSeq(), Required: f.GetRequired(), Kept: f.GetKept(),
			Bound: session.Bound{Request: f.GetRequest(), After: f.GetAfter()},
		}
	}
	return all
}
