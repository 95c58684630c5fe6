package hermod

import (
	"context"
	"log/slog"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// The functions below turn sections of the configuration into what constructors take, so that no
// layer but this one knows all of it.

func searchRules(c *conf.Config) biz.SearchRules {
	return biz.SearchRules{Enabled: c.GetSearch().GetEnabled()}
}

func sessionConfig(c *conf.Config) session.Config {
	s := c.GetSession()
	return session.Config{
		QueueBytes:   int(s.GetQueueBytes()),
		ResumeWindow: s.GetResumeWindow().AsDuration(),
		StallTimeout: s.GetStallTimeout().AsDuration(),
		ExpiryGrace:  c.GetAuth().GetExpiryGrace().AsDuration(),
		AckTimeout:   c.GetGateway().GetAckTimeout().AsDuration(),
		MaxResends:   int(c.GetGateway().GetMaxResends()),
		BoundFor:     c.GetGateway().GetRequestTimeout().AsDuration(),
		Load:         loadLimits(c.GetOverload()),
	}
}

func loadLimits(o *conf.Overload) overload.Limits {
	return overload.Limits{
		Connections: int(o.GetMaxConnections()),
		PerAddress:  int(o.GetMaxConnectionsPerAddress()),
		Requests:    int(o.GetRequestsPerSecond()),
		Burst:       int(o.GetRequestBurst()),
		QueueBytes:  o.GetQueueBytes(),
		RetryAfter:  o.GetRetryAfter().AsDuration(),
	}
}

func gatewayConfig(c *conf.Config) gateway.Config {
	s, g := c.GetSession(), c.GetGateway()
	return gateway.Config{
		Heartbeat:      s.GetHeartbeat().AsDuration(),
		StartTimeout:   s.GetStartTimeout().AsDuration(),
		SendsPerSecond: float64(s.GetSendsPerSecond()),
		SendBurst:      int(s.GetSendBurst()),
		RequestTimeout: g.GetRequestTimeout().AsDuration(),
		MaxRequests:    int(g.GetMaxRequests()),
		Devices:        gateway.Devices(g.GetDevices().GetPolicy()),
		MaxDevices:     int(g.GetDevices().GetMax()),
	}
}

// newMoves lets sessions of both protocols move between the nodes of a cluster.
func newMoves(n *node.Node, i *im.Handler, g *gateway.Handler, log *slog.Logger) *protocol.Moves {
	return protocol.NewMoves(n, map[string]protocol.Movable{"im": i, "gateway": g}, log)
}

func newPresence(c *conf.Config) *presence.Tracker {
	return presence.New(c.GetSession().GetPresenceGrace().AsDuration())
}

func ephemeralRules(c *conf.Config) biz.EphemeralRules {
	s := c.GetSession()
	return biz.EphemeralRules{PerSecond: float64(s.GetEphemeralsPerSecond()), Burst: int(s.GetEphemeralBurst())}
}

func watermarkRules(c *conf.Config) biz.WatermarkRules {
	return biz.WatermarkRules{MaxTold: int(c.GetRoom().GetLiveReadsUpTo())}
}

func presenceRules(c *conf.Config) biz.PresenceRules {
	return biz.PresenceRules{MaxNamed: int(c.GetPresence().GetMaxNamed())}
}

func newWitness(c *conf.Config, n *node.Node, seen protocol.Seen) *protocol.Witness {
	return protocol.NewWitness(n, seen, c.GetPresence().GetLastSeenInterval().AsDuration())
}

func imConfig(c *conf.Config) im.Config {
	s := c.GetSession()
	return im.Config{
		Heartbeat:      s.GetHeartbeat().AsDuration(),
		StartTimeout:   s.GetStartTimeout().AsDuration(),
		SendsPerSecond: float64(s.GetSendsPerSecond()),
		SendBurst:      int(s.GetSendBurst()),
	}
}

func roomRules(c *conf.Config) biz.RoomRules {
	d := c.GetRoom().GetDefaults()
	return biz.RoomRules{
		AutoCreate: c.GetRoom().GetAutoCreate(),
		MaxPerUser: int(c.GetRoom().GetMaxPerUser()),
		Defaults: biz.RoomConfig{
			MaxUsers:       int(d.GetMaxUsers()),
			Persistent:     d.GetPersistent(),
			MessageTTL:     d.GetMessageTtl().AsDuration(),
			IdleTimeout:    d.GetIdleTimeout().AsDuration(),
			AllowAudio:     d.GetAllowAudio(),
			AllowRichText:  d.GetAllowRichText(),
			AutoTranscribe: d.GetAutoTranscribe(),
		},
	}
}

func messageRules(c *conf.Config) biz.MessageRules {
	return biz.MessageRules{
		MaxContentBytes:  int(c.GetMessage().GetMaxContentBytes()),
		MaxMetadataBytes: int(c.GetMessage().GetMaxMetadataBytes()),
		EditWindow:       c.GetMessage().GetEditWindow().AsDuration(),
		RecallWindow:     c.GetMessage().GetRecallWindow().AsDuration(),
	}
}

// urlKey is what signs addresses of recordings where the configuration names nothing. Nodes that share a
// database have the same.
type urlKey []byte

func newURLKey(ctx context.Context, secrets *data.Secrets) (urlKey, error) {
	return secrets.Secret(ctx, "audio url")
}

func audioRules(c *conf.Config, made urlKey) biz.AudioRules {
	a := c.GetAudio()
	keys := [][]byte{made}
	if given := a.GetUrl().Keys(); len(given) > 0 {
		keys = nil
		for _, k := range given {
			keys = append(keys, []byte(k))
		}
	}
	return biz.AudioRules{
		URLs: biz.AudioURLRules{
			Keys: keys, Lifetime: a.GetUrl().GetLifetime().AsDuration(), SignUploads: a.GetUrl().GetSignUploads(),
		},
		MaxBytes:          a.GetMaxBytes(),
		Formats:           a.GetFormats(),
		MaxUploads:        int(a.GetMaxUploads()),
		MaxUploadsPerUser: int(a.GetMaxUploadsPerUser()),
		IdleTimeout:       a.GetIdleTimeout().AsDuration(),
		UploadTimeout:     a.GetUploadTimeout().AsDuration(),
	}
}

func pushRules(c *conf.Config) biz.PushRules {
	return biz.PushRules{
		MaxBytes:   int(c.GetPush().GetMaxBytes()),
		MaxTargets: int(c.GetPush().GetMaxTargets()),
		InboxTTL:   c.GetPush().GetInboxTtl().AsDuration(),
		Inbox: biz.InboxLimits{
			Pushes:     int(c.GetPush().GetInboxPerUser()),
			Bytes:      c.GetPush().GetInboxBytes(),
			DropOldest: c.GetPush().GetInboxOverflow() == "drop_oldest",
		},
	}
}

func transcriptRules(c *conf.Config) biz.TranscriptRules {
	t := c.GetAudio().GetTranscription()
	return biz.TranscriptRules{
		Workers:  int(t.GetWorkers()),
		Timeout:  t.GetTimeout().AsDuration(),
		Attempts: int(t.GetAttempts()),
		Backoff:  t.GetBackoff().AsDuration(),
	}
}

func eventEncoder() biz.EventEncoder { return im.EventContent }

func transcriptEncoder() biz.TranscriptEncoder { return imcall.Transcribed }
