package biz

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// MessageLog is the durable log of every room.
type MessageLog interface {
	// Append stores d at the next seq of its room, fills in its ID, Seq and Time, has it delivered,
	// and then calls done, once, from a goroutine of its own choosing. Drafts that one goroutine
	// appends to one room keep their order. When d.ClientID is not empty and (room, sender,
	// ClientID) was stored within 24 h, nothing is stored or delivered: done gets the first receipt
	// with Duplicate set, or KindConflict if what was to be said differs. Append itself does
	// not block on the store; when too much is waiting already, done gets KindUnavailable. A draft with
	// d.Permit.Required is stored only if it is d.Permitted at that moment, whatever another node has
	// changed since the version that the permit names; otherwise done gets that error.
	Append(d *Draft, done func(Receipt, error))
	// Page returns messages of room above after, in order, at most limit of them and fewer when
	// they are large; none means that after is at or above the head, or that nothing above it is kept.
	Page(ctx context.Context, room RoomID, after int64, limit int) ([]*Message, error)
	// Floor returns the retention floor of a room as it is stored: messages up to it are gone, and it
	// never sinks. A page that was read before shows no message at or below a floor that was lower then.
	Floor(ctx context.Context, room RoomID) (int64, error)
}

// MessageRules are the node's settings for messages.
type MessageRules struct {
	MaxContentBytes  int
	MaxMetadataBytes int
	EditWindow       time.Duration // how long a message can be edited after it was said; 0: always
	RecallWindow     time.Duration // how long its sender can take it back; 0: always
}

// Messages is what members say. Safe for concurrent use.
type Messages struct {
	rooms RoomRepo
	log   MessageLog
	live  Deliverer
	rules atomic.Pointer[MessageRules]

	interceptor Interceptor // nil: none
}

// NewMessages returns the use cases of messages.
func NewMessages(rooms RoomRepo, log MessageLog, live Deliverer, rules MessageRules) *Messages {
	m := &Messages{rooms: rooms, log: log, live: live}
	m.SetRules(rules)
	return m
}

// SetRules replaces the rules, for what is sent from then on.
func (m *Messages) SetRules(rules MessageRules) { m.rules.Store(&rules) }

// Send checks d and hands it on. In a persistent room it is stored, then delivered; in any other
// room it is delivered at once. done is called exactly once, possibly before Send returns, with
// the outcome of all of that. d belongs to Send from here on.
func (m *Messages) Send(ctx context.Context, by Identity, d *Draft, done func(Receipt, error)) {
	s, err := m.check(ctx, by, d)
	if err != nil {
		done(Receipt{}, err)
		return
	}
	if m.intercepts(d) {
		m.intercept(ctx, Speaker{by, s.Member.Role}, s.Room.Config.Persistent, d, done)
		return
	}
	m.handOn(&s.Room, d, done)
}

// Tell says what the node itself has to say in a room, in the name of d.Sender, who need not be
// there any more. It answers when d is stored and delivered, and with ctx's error when that ends
// first. d belongs to Tell from here on.
func (m *Messages) Tell(ctx context.Context, d *Draft) error {
	room, err := m.rooms.Room(ctx, d.Room)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	m.handOn(&room, d, func(_ Receipt, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Messages) handOn(room *Room, d *Draft, done func(Receipt, error)) {
	if room.Config.Persistent {
		m.log.Append(d, done)
		return
	}
	d.Time = time.Now()
	d.ID = NewMessageID(d.Room, 0, d.Time)
	receipt := Receipt{ID: d.ID, Time: d.Time}
	live, ok := m.live.(Sequencer)
	if !ok {
		m.live.Deliver(d)
		done(receipt, nil)
		return
	}
	live.Sequence(d, func(err error) {
		if err != nil {
			receipt = Receipt{}
		}
		done(receipt, err)
	})
}

func (m *Messages) check(ctx context.Context, by Identity, d *Draft) (Membership, error) {
	sender, err := by.ActAs(d.Sender)
	if err != nil {
		return Membership{}, err
	}
	d.Sender = sender
	if err := checkID("room_id", string(d.Room)); err != nil {
		return Membership{}, err
	}
	if err := checkOptionalID("message_id", d.ClientID); err != nil {
		return Membership{}, err
	}
	if err := m.checkPayload(by, d); err != nil {
		return Membership{}, err
	}
	if err := d.checkExtras(); err != nil {
		return Membership{}, err
	}
	d.Service = slices.Contains(by.Roles, RoleService)
	return m.permit(ctx, d)
}

// permit finds out whether the sender may say d, from memory if he may.
func (m *Messages) permit(ctx context.Context, d *Draft) (Membership, error) {
	s, err := m.rooms.Speaker(ctx, d.Room, d.Sender)
	if err != nil {
		return Membership{}, explainNoMember(ctx, m.rooms, d.Room, d.Sender, err)
	}
	if d.Permitted(&s.Room, &s.Member) != nil { // or did, before another node has changed it
		if s, err = m.stored(ctx, d.Room, d.Sender); err != nil {
			return Membership{}, err
		}
		if err := d.Permitted(&s.Room, &s.Member); err != nil {
			return Membership{}, err
		}
	}
	d.Permit = Permit{Required: true, Version: s.Version}
	return s, nil
}

func (m *Messages) stored(ctx context.Context, room RoomID, user UserID) (Membership, error) {
	found, err := m.rooms.Memberships(ctx, user, []RoomID{room})
	if err != nil {
		return Membership{}, err
	}
	if len(found) == 0 {
		return Membership{}, explainNoMember(ctx, m.rooms, room, user, ErrNotAMember(room, user))
	}
	return found[0], nil
}

func (m *Messages) checkPayload(by Identity, d *Draft) error {
	switch d.Type {
	case TypeText, TypeAudio, TypeRichText:
	case TypeSystem:
		if !by.Trusted && !slices.Contains(by.Roles, RoleService) {
			return Errorf(KindPermissionDenied, "SYSTEM_NOT_ALLOWED", "only services send SYSTEM messages")
		}
	default:
		return Errorf(KindInvalid, "INVALID_TYPE", "type %d cannot be sent to a room; TEXT (1), AUDIO (2), RICH_TEXT (3) and, by services, SYSTEM (4) can", d.Type)
	}
	return m.rules.Load().checkSize(d.Content, d.Metadata)
}

// fits tells whether what an interceptor has made of a message is no larger than messages may be.
func (m *Messages) fits(p Payload) error { return m.rules.Load().checkSize(p.Content, p.Metadata) }

func (r *MessageRules) checkSize(content []byte, metadata map[string]string) error {
	if len(content) > r.MaxContentBytes {
		return Errorf(KindInvalid, "CONTENT_TOO_LARGE", "content has %d bytes; at most %d are allowed", len(content), r.MaxContentBytes)
	}
	return checkMetadata(metadata, r.MaxMetadataBytes)
}
