package plugin

import (
	"context"
	"time"
)

// RefusalObserver is the capability to hear of what plugins refuse.
type RefusalObserver interface {
	// ObserveRefusal is told when an Authorizer or a MessageInterceptor has refused something, by Refused or
	// PermissionDenied, the plugin's own refusals included. What a plugin could not be asked about, since it
	// failed, is no refusal, and neither is what the node refuses by its own rules. In a cluster the node that
	// was asked tells its own plugin, and no other.
	//
	// It is called by one goroutine at a time, the same that calls ObserveMessage. All that is said there of
	// deadline, queue and errors holds here, and nobody who is refused something waits for it. An
	// implementation ignores a Kind of Access that it does not know.
	ObserveRefusal(ctx context.Context, r Refusal) error
}

// Refusal is what a plugin did not allow.
type Refusal struct {
	Plugin string // the name of the plugin that refused
	Access Access // what somebody was about to do
	// Message is what was to be said, as the plugin was given it; with Send. It has no ID, Seq and Time.
	Message Message
	Reason  string // that he was told
	Time    time.Time
}
