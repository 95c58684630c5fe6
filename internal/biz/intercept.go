package biz

import "context"

// Interceptor decides about what members say, once all rules allow it and before it has its place in
// the room.
type Interceptor interface {
	// Intercept tells by who says d, and calls verdict once, possibly before it returns, which is soon: nil has d stored, with the
	// payload that it then has, and an error is what the sender gets. For one sender in one room verdicts
	// come one after another, in the order of the calls. Where it replaces the payload of d it keeps the
	// old one in d.Sent, and the new one passes check.
	Intercept(d *Draft, by Speaker, check PayloadCheck, verdict func(error))
}

// Speaker is who says something: whose credentials these are, which may be a service's, and what the sender is in
// the room.
type Speaker struct {
	By   Identity
	Role Role
}

// Payload is what a message carries.
type Payload struct {
	Content  []byte
	Metadata map[string]string
}

// PayloadCheck tells why a payload may not be that of a message; nil: it may. It does not block.
type PayloadCheck func(Payload) error

// NewInterceptedMessages returns the use cases of messages, with an interceptor; nil: none.
func NewInterceptedMessages(rooms RoomRepo, log MessageLog, live Deliverer, rules MessageRules, by Interceptor) *Messages {
	m := NewMessages(rooms, log, live, rules)
	m.interceptor = by
	return m
}

// intercepts tells whether d is what somebody says: not what he does in a room, of which edits were asked about
// before.
func (m *Messages) intercepts(d *Draft) bool { return m.interceptor != nil && d.Act == nil }

func (m *Messages) intercept(ctx context.Context, by Speaker, persistent bool, d *Draft, done func(Receipt, error)) {
	m.interceptor.Intercept(d, by, m.fits, func(err error) {
		switch {
		case err != nil:
			done(Receipt{}, err)
		case persistent: // the log looks by itself whether the sender still may
			m.log.Append(d, done)
		default:
			m.lookAgain(ctx, d, done)
		}
	})
}

// lookAgain hands on what may still be said. Who has said it may be gone by now, as when it waits to be
// stored.
func (m *Messages) lookAgain(ctx context.Context, d *Draft, done func(Receipt, error)) {
	s, err := m.permit(context.WithoutCancel(ctx), d)
	if err != nil {
		done(Receipt{}, err)
		return
	}
	m.handOn(&s.Room, d, done)
}

// intercept has the interceptor decide about what a message is to say from now on, and puts there what it makes of
// it. What cannot be edited is left to the act, which says why.
func (r *Revisions) intercept(ctx context.Context, by Identity, sender UserID, to *EditRequest) error {
	m := r.messages
	if m.interceptor == nil {
		return nil
	}
	found, err := r.history.repo.Messages(ctx, []Span{{Room: to.Room, After: to.Seq - 1, To: to.Seq}}, PageBytes)
	if err != nil || len(found) == 0 || found[0].Sender != sender {
		return err
	}
	d := &Draft{Message: Message{
		Room: to.Room, Sender: sender, Type: found[0].Type, Content: to.Content, Metadata: to.Metadata, Mentions: to.Mentions,
	}}
	s, err := m.permit(ctx, d)
	if err != nil {
		return err
	}
	verdict := make(chan error, 1)
	m.interceptor.Intercept(d, Speaker{by, s.Member.Role}, m.fits, func(err error) { verdict <- err })
	select {
	case err := <-verdict:
		to.Content, to.Metadata = d.Content, d.Metadata
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
