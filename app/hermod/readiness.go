package hermod

import (
	"strings"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
)

func newReadiness(db *data.DB) *server.Readiness {
	return server.NewReadiness(server.Check{Name: "store", Err: db.Ping})
}

// newNotes are what /readyz says besides. A node without its store of recordings is of no use for those alone,
// and so stays ready.
func newNotes(s *registry.Status, live *conf.Live, b broker.Cluster, blobs *data.Blobs) []server.Note {
	return []server.Note{
		{Name: "recordings", Text: blobs.Health},
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
