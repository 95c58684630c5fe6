package plugins

import (
	"cmp"
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// refusals are the plugins that are told of what plugins refuse.
type refusals []observer

// sending tells of a message that a plugin has refused.
func (r refusals) sending(p *passage, by *member, reason string) {
	if len(r) > 0 {
		r.tell(plugin.Refusal{Plugin: by.name, Access: sendingOf(p.by, &p.draft.Message), Reason: reason}, p.draft.Message)
	}
}

// asking tells of a question that a plugin has answered, if that was by no.
func (r refusals) asking(a plugin.Access, by *member, answer error) {
	if refused, ok := asRefusal(answer); ok {
		r.tell(plugin.Refusal{Plugin: by.name, Access: a, Reason: refused.Reason}, biz.Message{})
	}
}

func (r refusals) tell(told plugin.Refusal, said biz.Message) {
	told.Time = time.Now()
	about := cmp.Or(told.Access.UserID, told.Access.By, told.Access.Subject)
	for _, to := range r {
		if room := told.Access.RoomID; room != "" && !to.feed.member.rooms.has(biz.RoomID(room)) {
			continue
		}
		to.feed.offer(event{hook: to.hook, about: about, size: len(said.Content) + waitingOverhead, tell: func(ctx context.Context, able *abilities) error {
			own := told
			if told.Access.Kind == plugin.Send {
				own.Message = toldOf(&said)
			}
			return able.refusals.ObserveRefusal(ctx, own)
		}})
	}
}
