package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// maxReason bounds what a plugin has told to a client, in bytes.
const maxReason = 1 << 10

// Interceptors is a biz.Interceptor that asks plugins, one after another: first all that authorize, and then those
// that intercept.
type Interceptors struct {
	chain []*checkpoint
	// whose tells whether somebody wants to know who speaks.
	whose    bool
	lines    *lines
	crew     crew
	refusals refusals
}

// checkpoint is one plugin that messages must get past.
type checkpoint struct {
	member     *member
	authorizes bool // it intercepts otherwise
	hook       *hook
}

// passage is one message on its way past the interceptors. It belongs to the goroutine that asks the
// next of them, and once it is settled to the line.
type passage struct {
	all     *Interceptors
	draft   *biz.Draft
	by      *biz.Speaker // nil: nobody wants to know
	check   biz.PayloadCheck
	verdict func(error)
	since   time.Time // when the interceptor that is being asked had its turn
	size    int64

	// The outcome, guarded by the shard of the line once it is settled.
	settled bool
	refusal error

	shard  *shard
	line   *line
	behind *passage // in its line, by the shard
	next   *passage // of those that wait for the crew, by its lock
	first  attempt  // of what is asked about it, beside it for most are asked about once
}

// Intercept implements biz.Interceptor.
func (i *Interceptors) Intercept(d *biz.Draft, by biz.Speaker, check biz.PayloadCheck, verdict func(error)) {
	if !i.concerned(d.Room) {
		verdict(nil)
		return
	}
	p := &passage{all: i, draft: d, check: check, verdict: verdict, since: time.Now()}
	if i.whose {
		who := by
		p.by = &who
	}
	if !i.lines.enter(p) {
		verdict(biz.Errorf(biz.KindUnavailable, "PLUGINS_OVERLOADED", "too many messages are waiting to be checked"))
		return
	}
	i.crew.take(p)
}

// concerned tells whether one of them is for a room. That stays so, which the order of what is said there takes.
func (i *Interceptors) concerned(room biz.RoomID) bool {
	for _, on := range i.chain {
		if on.member.rooms.has(room) {
			return true
		}
	}
	return false
}

// ask asks the interceptors from the n-th on. It returns false when one of them did not come back in
// time: whoever noticed goes on, with what else there is to do as well.
func (p *passage) ask(n int, w *watch) (mine bool) {
	for ; n < len(p.all.chain); n++ {
		on := p.all.chain[n]
		if !on.member.rooms.has(p.draft.Room) {
			continue
		}
		a := p.attempt(n)
		mine, err := on.member.call(w, on.hook, p.since, a, &a.call)
		if !mine {
			return false
		}
		if err == nil && !on.authorizes {
			a.change.apply(p.draft)
		}
		if !p.goesOn(n, err, w) {
			return true
		}
	}
	p.all.lines.settle(p)
	return true
}

// attempt is one plugin that is asked about a message. It is of this call alone, which may run on beside what follows.
type attempt struct {
	p      *passage
	n      int // in the chain
	call   call
	change change         // that an interceptor makes
	access *plugin.Access // that an authorizer is asked about
}

func (p *passage) attempt(n int) *attempt {
	a := &p.first
	if n > 0 {
		a = &attempt{}
	}
	a.p, a.n = p, n
	if p.all.chain[n].authorizes {
		access := sendingOf(p.by, &p.draft.Message)
		a.access = &access
	} else {
		a.change.of(p)
	}
	return a
}

func (a *attempt) ask(ctx context.Context, able *abilities) error {
	if a.access != nil {
		return able.authorizes.Authorize(ctx, *a.access)
	}
	return a.change.by(ctx, able.intercepts)
}

func (a *attempt) late(err error) {
	a.p.all.crew.work(func(w *watch) bool { return !a.p.goesOn(a.n, err, w) || a.p.ask(a.n+1, w) })
}

// goesOn tells whether the next one is to be asked after this outcome; if not, the message is refused.
func (p *passage) goesOn(n int, err error, w *watch) bool {
	if err == nil {
		if n+1 < len(p.all.chain) {
			p.since = w.now
		}
		return true
	}
	on := p.all.chain[n]
	refused, ok := asRefusal(err)
	switch {
	case ok && on.authorizes:
		p.refusal = biz.Errorf(biz.KindPermissionDenied, "NOT_AUTHORIZED", "%s", refused.Reason)
	case ok:
		p.refusal = biz.Errorf(biz.KindPermissionDenied, "MESSAGE_REFUSED", "%s", refused.Reason)
	case !on.member.guard().bounds.open:
		p.refusal = biz.Errorf(biz.KindUnavailable, "PLUGIN_UNAVAILABLE", "the message must be checked first, and that cannot be done now").
			Because(fmt.Errorf("plugin %s: %w", on.member.name, err)).After(on.member.guard().advice(err))
	default:
		p.since = time.Now()
		return true
	}
	if ok {
		p.all.refusals.sending(p, on.member, refused.Reason)
	}
	p.all.lines.settle(p)
	return false
}

// advice is when to try again what the plugin has failed at.
func (g *guard) advice(err error) time.Duration {
	var e *plugin.Error
	switch {
	case errors.As(err, &e) && e.RetryAfter > 0:
		return min(e.RetryAfter, time.Hour)
	case errors.Is(err, errLeftAlone):
		return g.bounds.retryAfter
	}
	return time.Second
}

// change is what an interceptor makes of a message.
type change struct {
	before   biz.Payload
	asked    plugin.Message // with copies: the plugin may still have them when the message is stored
	check    biz.PayloadCheck
	any      bool
	content  []byte
	metadata map[string]string
}

func (c *change) of(p *passage) {
	d := p.draft
	c.before, c.asked, c.check = biz.Payload{Content: d.Content, Metadata: d.Metadata}, messageOf(&d.Message), p.check
	c.asked.Content, c.asked.Metadata = slices.Clone(d.Content), maps.Clone(d.Metadata)
}

// by asks one interceptor.
func (c *change) by(ctx context.Context, one plugin.MessageInterceptor) error {
	asked := c.asked
	got, err := one.InterceptMessage(ctx, asked)
	if err != nil {
		return err
	}
	if got.RoomID != asked.RoomID || got.UserID != asked.UserID || got.ClientID != asked.ClientID || got.Type != asked.Type ||
		got.ID != "" || got.Seq != 0 || !got.Time.IsZero() {
		return errors.New("it has changed more than content and metadata")
	}
	if bytes.Equal(got.Content, c.before.Content) && maps.Equal(got.Metadata, c.before.Metadata) {
		return nil
	}
	c.any, c.content, c.metadata = true, slices.Clone(got.Content), maps.Clone(got.Metadata)
	if err := c.check(biz.Payload{Content: c.content, Metadata: c.metadata}); err != nil {
		return fmt.Errorf("what it has made of a message cannot be stored: %w", err)
	}
	return nil
}

// apply makes the change. What the client sent stays known: by that its message is recognised when it
// is sent again, even if the plugin then changes it in another way.
func (c *change) apply(d *biz.Draft) {
	if !c.any {
		return
	}
	if d.Sent == nil {
		before := c.before // not all that the attempt has
		d.Sent = &before
	}
	d.Content, d.Metadata = c.content, c.metadata
}

func messageOf(m *biz.Message) plugin.Message {
	return plugin.Message{
		ID: m.ID, RoomID: string(m.Room), Seq: m.Seq, UserID: string(m.Sender), ClientID: m.ClientID,
		Type: plugin.MessageType(m.Type), Time: m.Time,
	}
}

// tellable tells whether a text may be sent to clients.
func tellable(reason string) bool {
	return reason != "" && len(reason) <= maxReason && utf8.ValidString(reason) && strings.IndexByte(reason, 0) < 0
}
