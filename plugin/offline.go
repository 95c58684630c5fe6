package plugin

import (
	"context"
	"time"
)

// OfflineNotifier is the capability to reach people who are away, as by mobile push.
type OfflineNotifier interface {
	// NotifyOffline is told of something that was kept for people who have no session anywhere in the
	// cluster at that moment. It is told after that was stored, and never holds a sender up. In a cluster
	// the node that stored it tells its own plugin, and no other.
	//
	// Whoever comes back meanwhile has been notified all the same, and who leaves in that moment may not
	// be: a notification is a hint to look, and what it is about is read from the log or the inbox.
	//
	// It is called by as many goroutines at once as the plugin's concurrency says; for one user in the
	// order in which things were stored, unless a call is given up. What is said of ObserveMessage's
	// queue and errors holds here; a refusal by Unavailable is tried again, up to three times, after its
	// RetryAfter.
	NotifyOffline(ctx context.Context, n Notification) error
}

// Notification is something that waits for people who are away.
type Notification struct {
	// Users are who is away, 500 at most: for more there is another call. Not to be changed.
	Users []string
	// Mentioned are those of Users whom the message mentions.
	Mentioned []string
	Message   *Message // what was said in a room; nil: it is a push
	Push      *Pushed  // what a service pushed and wanted kept; nil: it is a message
	Time      time.Time
}

// Pushed is a push that waits in inboxes.
type Pushed struct {
	ID      string
	Action  string // what kind it is, its msg_type
	Title   string // for people, as is Content; may be empty
	Content string
	Data    []byte
	Headers map[string]string
	Expiry  time.Time // when it is worth nothing any more; zero: never
}
