package cluster_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*cluster.Options)
		want   string
	}{
		"as they should be": {func(*cluster.Options) {}, ""},
		"a cluster's name":  {func(o *cluster.Options) { o.Name = "a.b" }, `name "a.b"`},
		"no id":             {func(o *cluster.Options) { o.Self.ID = "" }, "node id"},
		"a bad id":          {func(o *cluster.Options) { o.Self.ID = "a:b" }, "node id"},
		"a talkative node":  {func(o *cluster.Options) { o.Self.Info = make([]byte, 5000) }, "5000 bytes of itself, 4096 are allowed"},
		"no codec":          {func(o *cluster.Options) { o.Codec = nil }, "a codec and a log"},
		"a short expiry":    {func(o *cluster.Options) { o.Expiry = time.Second }, "at least twice"},
		"a negative bound":  {func(o *cluster.Options) { o.OutboxBytes = -1 }, "positive"},
	} {
		t.Run(name, func(t *testing.T) {
			o := cluster.Options{
				Self: broker.Member{ID: "n"}, Codec: brokertest.Numbers{}, Log: slog.New(slog.DiscardHandler),
			}
			c.change(&o)
			_, err := cluster.New(brokertest.NewNetwork().Bus(), o)
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
