package imactions

import (
	"context"
	"sync"

	"github.com/google/uuid"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/session"
)

// send answers by the message itself, which brings the answer to the session that sent it at its
// place in the room. Only what is not delivered, a repetition, is answered from here.
func (a *Actions) send(ctx context.Context, r *gateway.Request) error {
	req := &imv1.SendMessageRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	d := imcall.Draft(req)
	if err := a.rules.Rooms.Address(ctx, r.Identity, d, biz.UserID(req.GetToUserId())); err != nil {
		return err
	}
	if d.ClientID == "" { // by it a session tells what it sends from what others of its user do
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		d.ClientID = id.String()
	}
	d.Origin, d.Asked = biz.SessionID(r.Session.ID), r.Asked()
	a.sending.begin(r.Session, sent{d.Room, d.ClientID})
	defer a.sending.end(r.Session)
	done := make(chan error, 1)
	a.rules.Messages.Send(ctx, r.Identity, d, func(receipt biz.Receipt, err error) {
		if err == nil {
			r.Answer(imcall.Sent(d.Room, receipt), nil)
		}
		done <- err
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sending is what sessions are sending, one message each. A session that reads the log may find there
// what it has no answer to yet; the answer is what it is told of that. The zero value is ready.
type sending struct{ bySession sync.Map }

// sent names a message by what its sender knows of it.
type sent struct {
	room biz.RoomID
	id   string
}

func (s *sending) begin(by *session.Session, m sent) { s.bySession.Store(by.ID, m) }

func (s *sending) end(by *session.Session) { s.bySession.Delete(by.ID) }

// by is a protocol.Known.
func (s *sending) by(by *session.Session, m *biz.Message) bool {
	now, ok := s.bySession.Load(by.ID)
	return ok && now == sent{m.Room, m.ClientID}
}
