package biz

import "context"

// Interceptor decides about what members say, once all rules allow it and before it has its place in
// the room.
type Interceptor interface {
	// Intercept calls verdict once, possibly before it returns, which is soon: nil has d stored, with the
	// payload that it then has, and an error is what the sender gets. For one sender in one room verdicts
	// come one after another, in the order of the calls. Where it replaces the payload of d it keeps the
	// old one in d.Sent, and the new one passes check.
	Intercept(d *Draft, check PayloadCheck, verdict func(error))
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

// intercepts tells whether d is what somebody says: not what he does in a room.
func (m *Messages) intercepts(d *Draft) bool { return m.interceptor != nil && d.Act == nil }

func (m *Messages) intercept(ctx context.Context, persistent bool, d *Draft, done func(Receipt, error)) {
	m.interceptor.Intercept(d, m.fits, func(err error) {
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
	room, err := m.permit(context.WithoutCancel(ctx), d)
	if err != nil {
		done(Receipt{}, err)
		return
	}
	m.handOn(room, d, done)
}
