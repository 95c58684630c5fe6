package conf

import (
	"fmt"
	"strings"
	"time"
)

// limit is what a scalar may be, beyond its notation: a range, or a few words.
type limit struct {
	shape    shape
	min, max int64 // bytes, nanoseconds or a plain number
	words    []string
	linked   bool // or the name of a plugin, of which words are those that are shipped
}

func (l limit) String() string {
	switch {
	case l.linked:
		return strings.Join(l.words, ", ") + ", or what is linked"
	case l.words != nil:
		return strings.Join(l.words, ", ")
	}
	return format(l.shape, l.min) + " to " + format(l.shape, l.max)
}

// check tells what is wrong with a number, "" when nothing is.
func (l limit) check(n int64) string {
	switch {
	case n < l.min:
		return fmt.Sprintf("%s is too small; at least %s", format(l.shape, n), format(l.shape, l.min))
	case n > l.max:
		return fmt.Sprintf("%s is too large; at most %s", format(l.shape, n), format(l.shape, l.max))
	}
	return ""
}

// checkShare is check for a share.
func (l limit) checkShare(f float64) string {
	if f < float64(l.min) || f > float64(l.max) {
		return fmt.Sprintf("%s is no share; %s is allowed", formatShare(f), l)
	}
	return ""
}

// checkWord tells what is wrong with a word, "" when nothing is.
func (l limit) checkWord(word string) string {
	for _, w := range l.words {
		if w == word {
			return ""
		}
	}
	if l.linked && isPluginName(word) { // which there are is told where they are linked
		return ""
	}
	return fmt.Sprintf("%q is not known%s; one of %s", word, DidYouMean(word, l.words), l)
}

func count(least, most int64) limit { return limit{shape: shapeCount, min: least, max: most} }
func size(least, most int64) limit  { return limit{shape: shapeSize, min: least, max: most} }
func lasting(least, most time.Duration) limit {
	return limit{shape: shapeDuration, min: int64(least), max: int64(most)}
}
func share() limit                { return limit{shape: shapeShare, max: 1} }
func oneOf(words ...string) limit { return limit{shape: shapeText, words: words} }

// linked is for keys that choose a plugin.
func linked(shipped ...string) limit {
	return limit{shape: shapeText, words: shipped, linked: true}
}

const (
	kib     = 1 << 10
	mib     = 1 << 20
	gib     = 1 << 30
	million = 1_000_000
	// forever is ten years: what is longer is a slip of the pen.
	forever = 87600 * time.Hour
)

// limits is keyed by the full name of the field in the schema.
var limits = map[string]limit{
	"hermod.conf.Log.level":  oneOf("debug", "info", "warn", "error"),
	"hermod.conf.Log.format": oneOf("text", "json"),

	"hermod.conf.Server.TLS.min_version":      oneOf(TLS12, TLS13),
	"hermod.conf.Server.Quic.max_connections": count(1, million),
	"hermod.conf.Server.Stop.notice":          lasting(0, 10*time.Minute),
	"hermod.conf.Server.Stop.drain":           lasting(0, 10*time.Minute),
	"hermod.conf.Server.Stop.timeout":         lasting(time.Second, 30*time.Minute),
	"hermod.conf.Server.Keepalive.time":       lasting(5*time.Second, time.Hour),
	"hermod.conf.Server.Keepalive.timeout":    lasting(time.Second, 5*time.Minute),

	"hermod.conf.Overload.max_connections":             count(0, 10*million),
	"hermod.conf.Overload.max_connections_per_address": count(0, 10*million),
	"hermod.conf.Overload.requests_per_second":         count(0, 100*million),
	"hermod.conf.Overload.request_burst":               count(1, 100*million),
	"hermod.conf.Overload.queue_bytes":                 size(0, 1024*gib),
	"hermod.conf.Overload.retry_after":                 lasting(100*time.Millisecond, 10*time.Minute),

	"hermod.conf.Data.Database.driver":            oneOf("sqlite", "postgres", "mysql"),
	"hermod.conf.Data.Database.synchronous":       oneOf("full", "normal"),
	"hermod.conf.Data.Database.readers":           count(1, 1000),
	"hermod.conf.Data.Database.statement_timeout": lasting(100*time.Millisecond, 10*time.Minute),
	"hermod.conf.Data.Log.batch_rows":             count(1, 4096),
	"hermod.conf.Data.Log.queue_messages":         count(1, 10*million),
	"hermod.conf.Data.Log.queue_bytes":            size(mib, 16*gib),
	"hermod.conf.Data.Blobs.store":                linked(BlobsDir, BlobsS3),
	"hermod.conf.Data.Blobs.S3.timeout":           lasting(100*time.Millisecond, 10*time.Minute),
	"hermod.conf.Data.Retention.max_age":          lasting(0, forever),
	"hermod.conf.Data.Retention.max_messages":     count(0, 1000*million),
	"hermod.conf.Data.Retention.max_bytes":        size(0, 1024*gib),
	"hermod.conf.Data.Retention.last_seen":        lasting(0, forever),

	"hermod.conf.Room.max_per_user":     count(1, million),
	"hermod.conf.Room.live_reads_up_to": count(0, million),

	"hermod.conf.Presence.max_named":          count(0, 1000),
	"hermod.conf.Presence.last_seen_interval": lasting(0, time.Hour),

	"hermod.conf.Room.Defaults.max_users":    count(0, million),
	"hermod.conf.Room.Defaults.message_ttl":  lasting(0, forever),
	"hermod.conf.Room.Defaults.idle_timeout": lasting(0, forever),

	"hermod.conf.Message.max_content_bytes":  size(kib, 16*mib),
	"hermod.conf.Message.max_metadata_bytes": size(256, mib),
	"hermod.conf.Message.edit_window":        lasting(0, forever),
	"hermod.conf.Message.recall_window":      lasting(0, forever),

	"hermod.conf.Session.resume_window":         lasting(0, 24*time.Hour),
	"hermod.conf.Session.heartbeat":             lasting(5*time.Second, 10*time.Minute),
	"hermod.conf.Session.queue_bytes":           size(64*kib, gib),
	"hermod.conf.Session.stall_timeout":         lasting(time.Second, time.Hour),
	"hermod.conf.Session.sends_per_second":      count(1, million),
	"hermod.conf.Session.send_burst":            count(1, 10*million),
	"hermod.conf.Session.ephemerals_per_second": count(1, 10_000),
	"hermod.conf.Session.ephemeral_burst":       count(1, 100_000),
	"hermod.conf.Session.presence_grace":        lasting(0, 10*time.Minute),
	"hermod.conf.Session.start_timeout":         lasting(time.Second, time.Hour),

	"hermod.conf.Gateway.ack_timeout":     lasting(time.Second, 10*time.Minute),
	"hermod.conf.Gateway.max_resends":     count(0, 100),
	"hermod.conf.Gateway.request_timeout": lasting(time.Second, 10*time.Minute),
	"hermod.conf.Gateway.max_requests":    count(1, 10000),
	"hermod.conf.Gateway.Devices.policy":  oneOf("replace", "allow", "class"),
	"hermod.conf.Gateway.Devices.max":     count(1, 1000),

	"hermod.conf.Upstream.max_concurrent":         count(1, million),
	"hermod.conf.Upstream.Service.timeout":        lasting(0, 10*time.Minute),
	"hermod.conf.Upstream.Service.max_concurrent": count(0, million),
	"hermod.conf.Upstream.Breaker.failures":       count(1, 10000),
	"hermod.conf.Upstream.Breaker.open":           lasting(100*time.Millisecond, 10*time.Minute),
	"hermod.conf.Upstream.Lease.max":              lasting(5*time.Second, 24*time.Hour),
	"hermod.conf.Upstream.Lease.unreachable":      lasting(5*time.Second, 24*time.Hour),

	"hermod.conf.Push.max_bytes":      size(kib, 16*mib),
	"hermod.conf.Push.max_targets":    count(1, million),
	"hermod.conf.Push.inbox_ttl":      lasting(time.Minute, forever),
	"hermod.conf.Push.inbox_per_user": count(1, million),
	"hermod.conf.Push.inbox_bytes":    size(64*kib, 64*gib),
	"hermod.conf.Push.inbox_overflow": oneOf("refuse", "drop_oldest"),

	"hermod.conf.Audio.max_bytes":            size(kib, gib),
	"hermod.conf.Audio.max_uploads":          count(1, 10000),
	"hermod.conf.Audio.max_uploads_per_user": count(1, 10000),
	"hermod.conf.Audio.idle_timeout":         lasting(time.Second, 10*time.Minute),
	"hermod.conf.Audio.upload_timeout":       lasting(time.Second, 24*time.Hour),
	"hermod.conf.Audio.unreferenced":         lasting(0, forever),
	"hermod.conf.Audio.Url.lifetime":         lasting(time.Minute, 30*24*time.Hour),

	"hermod.conf.Auth.expiry_grace":     lasting(0, 10*time.Minute),
	"hermod.conf.Auth.JWT.jwks_refresh": lasting(10*time.Second, 24*time.Hour),
	"hermod.conf.Auth.JWT.leeway":       lasting(0, 5*time.Minute),
	"hermod.conf.Auth.Key.algorithm":    oneOf("HS256", "RS256", "ES256", "EdDSA"),

	"hermod.conf.Audio.Transcription.workers":  count(1, 1000),
	"hermod.conf.Audio.Transcription.timeout":  lasting(time.Second, 6*time.Hour),
	"hermod.conf.Audio.Transcription.attempts": count(1, 100),
	"hermod.conf.Audio.Transcription.backoff":  lasting(time.Second, time.Hour),

	"hermod.conf.Registry.type":                   linked(RegistryNone, RegistryNacos, RegistryEtcd, RegistryConsul),
	"hermod.conf.Registry.ttl":                    lasting(3*time.Second, 20*time.Minute),
	"hermod.conf.Registry.weight":                 count(1, 10_000),
	"hermod.conf.Registry.Advertise.im_port":      count(0, 65535),
	"hermod.conf.Registry.Advertise.gateway_port": count(0, 65535),

	"hermod.conf.Plugin.deadline":    lasting(0, time.Minute),
	"hermod.conf.Plugin.concurrency": count(0, 10_000),
	"hermod.conf.Plugin.queue":       count(0, million),
	"hermod.conf.Plugin.failures":    count(0, 10_000),
	"hermod.conf.Plugin.retry_after": lasting(0, time.Hour),
	"hermod.conf.Plugin.sample":      share(),

	"hermod.conf.PluginProcess.memory_bytes": size(0, 1024*gib),
	"hermod.conf.Webhook.deadline":           lasting(0, time.Minute),
	"hermod.conf.Webhook.attempts":           count(0, 1000),
	"hermod.conf.Webhook.backoff":            lasting(0, time.Minute),
	"hermod.conf.Webhook.max_backoff":        lasting(0, time.Hour),
	"hermod.conf.Webhook.max_age":            lasting(0, forever),
	"hermod.conf.Webhook.concurrency":        count(0, 1000),
	"hermod.conf.Webhook.batch":              count(0, 500),
	"hermod.conf.Webhook.keep_dead":          lasting(0, forever),

	"hermod.conf.Cluster.type": linked(ClusterNone, ClusterNATS, ClusterRedis),
}
