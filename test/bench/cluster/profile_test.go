package cluster

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/test/process"
)

// ProfileCluster is the environment variable that names a folder for CPU profiles of the nodes.
const ProfileCluster = "HERMOD_BENCH_PROFILE"

// profile begins to take profiles of all nodes, if there is a folder for them, once the load is warm. What it returns
// waits for them.
func profile(t *testing.T, nodes []*process.Node, lasts time.Duration) (wait func()) {
	t.Helper()
	dir := os.Getenv(ProfileCluster)
	if dir == "" {
		return func() {}
	}
	var wg sync.WaitGroup
	name := strings.NewReplacer("/", "-", ",", "", "_", "-").Replace(t.Name())
	for i, n := range nodes {
		wg.Go(func() {
			time.Sleep(lasts) // connecting and half of the warm-up
			status, page := n.Page(fmt.Sprintf("/debug/pprof/profile?seconds=%d", max(1, int(lasts.Seconds()))))
			file := filepath.Join(dir, fmt.Sprintf("%s-node%d-%d.pprof", name, i+1, time.Now().UnixMilli()))
			if status != http.StatusOK {
				t.Errorf("no profile: status %d: %s", status, page)
			} else if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	return wg.Wait
}

// portionsOf tells in how large portions messages were written: to clients, and to the database.
func portionsOf(nodes []*process.Node) string {
	var frames, writes, rows, commits, took float64
	for _, n := range nodes {
		frames, writes = frames+n.Metric("hermod_session_deliveries_total"), writes+n.Metric("hermod_session_writes_total")
		rows, commits = rows+n.Metric("hermod_store_batch_rows_sum"), commits+n.Metric("hermod_store_batch_rows_count")
		took += n.Metric("hermod_store_commit_seconds_sum")
	}
	return fmt.Sprintf("%.1f frames a write, %.0f messages a commit of %.1f ms", frames/max(1, writes), rows/max(1, commits), 1000*took/max(1, commits))
}
