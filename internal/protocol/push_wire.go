package protocol

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/session"
)

// marshal encodes what nodes say to each other. Text of a push and ids were checked, and nothing else of it
// can be impossible to encode.
func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("protocol: %v", err))
	}
	return b
}

// toWirePush puts a push on its way to other nodes. The time that it has left is said as such, since their
// clocks may differ.
func toWirePush(p *biz.Push) *wire.Push {
	w := &wire.Push{
		Id: p.ID, MsgType: p.MsgType, Title: p.Title, Content: p.Content, Data: p.Data, Metadata: p.Metadata,
		Time: nanoseconds(p.Time), InboxSeq: p.InboxSeq, StoreOffline: p.StoreOffline, Again: p.Again,
		BoundSeq: p.Bound.ClientSeq, BoundAfter: p.Bound.After,
	}
	if !p.Expires.IsZero() {
		w.Mortal, w.Left = true, int64(time.Until(p.Expires))
	}
	return w
}

func fromWirePush(w *wire.Push) *biz.Push {
	p := &biz.Push{
		ID: w.GetId(), MsgType: w.GetMsgType(), Title: w.GetTitle(), Content: w.GetContent(), Data: w.GetData(), Metadata: w.GetMetadata(),
		Time: moment(w.GetTime()), InboxSeq: w.GetInboxSeq(), StoreOffline: w.GetStoreOffline(), Again: w.GetAgain(),
		Bound: biz.PushBound{ClientSeq: w.GetBoundSeq(), After: w.GetBoundAfter()}, Prepared: &biz.Prepared{},
	}
	if w.GetMortal() {
		p.Expires = time.Now().Add(time.Duration(w.GetLeft()))
	}
	return p
}

func toWireTarget(to biz.Recipient) *wire.PushTarget {
	switch to.Kind {
	case biz.TargetSession:
		return &wire.PushTarget{Kind: &wire.PushTarget_Session{Session: to.ID}}
	case biz.TargetGID:
		return &wire.PushTarget{Kind: &wire.PushTarget_Gid{Gid: to.GID}}
	}
	return &wire.PushTarget{Kind: &wire.PushTarget_User{User: to.ID}}
}

func fromWireTarget(w *wire.PushTarget) biz.Recipient {
	switch v := w.GetKind().(type) {
	case *wire.PushTarget_Session:
		return biz.Recipient{Kind: biz.TargetSession, ID: v.Session}
	case *wire.PushTarget_Gid:
		return biz.Recipient{Kind: biz.TargetGID, GID: v.Gid}
	case *wire.PushTarget_User:
		return biz.Recipient{Kind: biz.TargetUser, ID: v.User}
	}
	return biz.Recipient{Kind: biz.TargetSession} // of a newer node, perhaps: nobody
}

// wireOutcomes are outcomes as nodes tell each other.
var wireOutcomes = [...]wire.PushOutcome{
	session.Gone:    wire.PushOutcome_PUSH_OUTCOME_ABSENT,
	session.Expired: wire.PushOutcome_PUSH_OUTCOME_EXPIRED,
	session.Full:    wire.PushOutcome_PUSH_OUTCOME_SLOW,
	session.Unsure:  wire.PushOutcome_PUSH_OUTCOME_UNSURE,
	session.Kept:    wire.PushOutcome_PUSH_OUTCOME_KEPT,
	session.Queued:  wire.PushOutcome_PUSH_OUTCOME_QUEUED,
	session.Acked:   wire.PushOutcome_PUSH_OUTCOME_ACKED,
}

// fromWireOutcome reads one. What is not known to have happened has a reason.
func fromWireOutcome(w wire.PushOutcome) (o session.Offered, why string) {
	for o, known := range wireOutcomes {
		if known == w && w != wire.PushOutcome_PUSH_OUTCOME_UNSURE {
			return session.Offered(o), ""
		}
	}
	switch w {
	case wire.PushOutcome_PUSH_OUTCOME_UNSURE:
		return session.Unsure, whyEnded
	case wire.PushOutcome_PUSH_OUTCOME_BUSY:
		return session.Unsure, whyBusy
	}
	return session.Unsure, whySilent // of a newer node
}
