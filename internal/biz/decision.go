package biz

import (
	"context"
	"time"
)

// decision is an act that is made of what it needs and a function.
type decision struct {
	needs  ActNeeds
	decide func(ActState) (ActPlan, error)
}

// Needs implements Act.
func (d *decision) Needs() ActNeeds { return d.needs }

// Decide implements Act.
func (d *decision) Decide(s ActState) (ActPlan, error) { return d.decide(s) }

// perform has an act done, and waits for it. When ctx ends first, whether it is done is not known.
func perform(ctx context.Context, log MessageLog, room RoomID, actor Actor, act Act) error {
	done := make(chan error, 1)
	d := &Draft{Message: Message{Room: room, Sender: actor.User, Type: TypeSystem}, Act: act}
	log.Append(d, func(_ Receipt, err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// about is what those see of an event who know nothing but its type.
func about(actor Actor, member UserID, reason string) map[string]string {
	data := make(map[string]string)
	for key, value := range map[string]string{"by": string(actor.User), "user_id": string(member), "reason": reason} {
		if value != "" {
			data[key] = value
		}
	}
	return data
}

// until writes a moment into the data of an event, unless it is none.
func until(data map[string]string, end time.Time) map[string]string {
	if !end.IsZero() {
		data["until"] = end.UTC().Format(time.RFC3339)
	}
	return data
}
