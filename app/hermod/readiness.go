package hermod

import (
	"strings"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
)

func newReadiness(db *data.DB) *server.Readiness {
	return server.NewReadiness(server.Check{Name: "store", Err: db.Ping})
}

// newNotes are what /readyz says besides.
func newNotes(s *registry.Status, live *conf.Live, b broker.Cluster, blobs biz.Blobs) []server.Note {
	return []server.Note{
		{Name: "recordings", Text: func() string { return healthOf(blobs) }},
		{Name: "registry", Text: s.String},
		{Name: "cluster", Text: func() string { return clusterState(b) }},
		{Name: "configuration", Text: func() string {
			if keys := live.Waiting(); len(keys) > 0 {
				return "changed, and waits for a restart: " + strings.Join(keys, ", ")
			}
			return ""
		}},
	}
}

// healthOf says what is wrong with the store of recordings. A node without one is no use for recordings alone,
// and so stays ready.
func healthOf(blobs biz.Blobs) string {
	if b, ok := blobs.(interface{ Health() string }); ok { // a folder has nothing to say
		return b.Health()
	}
	return ""
}
