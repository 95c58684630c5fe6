package conf

import "google.golang.org/protobuf/reflect/protoreflect"

// effect is when a changed key takes effect.
type effect uint8

const (
	afterRestart effect = iota
	atOnce
	// upToStart is at once as long as the value is not above the one that the node was started with,
	// because a listener was opened for that.
	upToStart
	// ifSwapped is at once for a plugin that takes new keys while the node runs.
	ifSwapped
)

// live is keyed by the full name of the field in the schema. What is not here waits for a restart. A
// key is entered when something applies it: app/hermod/live.go does, and a test there demands it.
var live = map[string]effect{
	"hermod.conf.Log.level": atOnce,

	// From the next sweep on, which is a minute away at most.
	"hermod.conf.Data.Retention.max_age":      atOnce,
	"hermod.conf.Data.Retention.max_messages": atOnce,
	"hermod.conf.Data.Retention.max_bytes":    atOnce,
	"hermod.conf.Data.Retention.last_seen":    atOnce,

	"hermod.conf.Room.auto_create":      atOnce,
	"hermod.conf.Room.max_per_user":     atOnce,
	"hermod.conf.Room.live_reads_up_to": atOnce,
	// The defaults of rooms that are made from then on.
	"hermod.conf.Room.Defaults.max_users":       atOnce,
	"hermod.conf.Room.Defaults.persistent":      atOnce,
	"hermod.conf.Room.Defaults.message_ttl":     atOnce,
	"hermod.conf.Room.Defaults.idle_timeout":    atOnce,
	"hermod.conf.Room.Defaults.allow_audio":     atOnce,
	"hermod.conf.Room.Defaults.allow_rich_text": atOnce,
	"hermod.conf.Room.Defaults.auto_transcribe": atOnce,

	"hermod.conf.Message.max_content_bytes":  upToStart,
	"hermod.conf.Message.max_metadata_bytes": upToStart,
	"hermod.conf.Message.edit_window":        atOnce,
	"hermod.conf.Message.recall_window":      atOnce,

	"hermod.conf.Session.resume_window":         atOnce,
	"hermod.conf.Session.heartbeat":             atOnce, // of sessions that open from then on
	"hermod.conf.Session.queue_bytes":           atOnce,
	"hermod.conf.Session.stall_timeout":         atOnce,
	"hermod.conf.Session.sends_per_second":      atOnce,
	"hermod.conf.Session.send_burst":            atOnce,
	"hermod.conf.Session.start_timeout":         atOnce,
	"hermod.conf.Session.ephemerals_per_second": atOnce,
	"hermod.conf.Session.ephemeral_burst":       atOnce,

	"hermod.conf.Upstream.routes":            atOnce,
	"hermod.conf.Upstream.services":          atOnce,
	"hermod.conf.Upstream.zones":             atOnce,
	"hermod.conf.Upstream.max_concurrent":    atOnce,
	"hermod.conf.Upstream.registration":      atOnce,
	"hermod.conf.Upstream.Breaker.failures":  atOnce,
	"hermod.conf.Upstream.Breaker.open":      atOnce,
	"hermod.conf.Upstream.Lease.max":         atOnce,
	"hermod.conf.Upstream.Lease.unreachable": atOnce,

	"hermod.conf.Gateway.ack_timeout":     atOnce,
	"hermod.conf.Gateway.max_resends":     atOnce,
	"hermod.conf.Gateway.request_timeout": atOnce,
	"hermod.conf.Gateway.max_requests":    atOnce,
	"hermod.conf.Gateway.Devices.policy":  atOnce, // of sessions that open from then on
	"hermod.conf.Gateway.Devices.max":     atOnce,

	"hermod.conf.Overload.max_connections":             atOnce,
	"hermod.conf.Overload.max_connections_per_address": atOnce, // of connections that open from then on
	"hermod.conf.Overload.requests_per_second":         atOnce,
	"hermod.conf.Overload.request_burst":               atOnce,
	"hermod.conf.Overload.queue_bytes":                 atOnce,
	"hermod.conf.Overload.retry_after":                 atOnce,

	"hermod.conf.Push.max_bytes":      upToStart,
	"hermod.conf.Push.max_targets":    upToStart,
	"hermod.conf.Push.inbox_ttl":      atOnce, // of pushes that are stored from then on
	"hermod.conf.Push.inbox_per_user": atOnce,
	"hermod.conf.Push.inbox_bytes":    atOnce,
	"hermod.conf.Push.inbox_overflow": atOnce,

	// Of uploads that begin from then on.
	"hermod.conf.Audio.max_bytes":            atOnce,
	"hermod.conf.Audio.formats":              atOnce,
	"hermod.conf.Audio.max_uploads":          atOnce,
	"hermod.conf.Audio.max_uploads_per_user": atOnce,
	"hermod.conf.Audio.idle_timeout":         atOnce,
	"hermod.conf.Audio.upload_timeout":       atOnce,
	"hermod.conf.Audio.unreferenced":         atOnce,
	"hermod.conf.Audio.Url.secrets":          atOnce,
	"hermod.conf.Audio.Url.lifetime":         atOnce,
	"hermod.conf.Audio.Url.sign_uploads":     atOnce,

	// Of attempts that begin from then on.
	"hermod.conf.Audio.Transcription.workers":  atOnce,
	"hermod.conf.Audio.Transcription.timeout":  atOnce,
	"hermod.conf.Audio.Transcription.attempts": atOnce,
	"hermod.conf.Audio.Transcription.backoff":  atOnce,

	"hermod.conf.Auth.expiry_grace": atOnce,

	"hermod.conf.Registry.weight": atOnce,

	// As long as the list names the same plugins.
	"hermod.conf.Plugin.deadline":    atOnce,
	"hermod.conf.Plugin.on_failure":  atOnce,
	"hermod.conf.Plugin.concurrency": atOnce,
	"hermod.conf.Plugin.queue":       atOnce,
	"hermod.conf.Plugin.failures":    atOnce,
	"hermod.conf.Plugin.retry_after": atOnce,
	"hermod.conf.Plugin.sample":      atOnce,
	"hermod.conf.Plugin.config":      ifSwapped,
}

func liveness(fd protoreflect.FieldDescriptor) effect { return live[string(fd.FullName())] }

// takesEffect tells whether a new value can be applied to a node that was started with another one.
func takesEffect(fd protoreflect.FieldDescriptor, started, next protoreflect.Value) bool {
	switch liveness(fd) {
	case atOnce:
		return true
	case upToStart:
		return next.Int() <= started.Int()
	}
	return false
}
