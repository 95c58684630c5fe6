package hermod

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	klog "github.com/go-kratos/kratos/v2/log"

	"github.com/game-im/hermod/internal/conf"
)

// Kratos reads its logger without a lock: under the race detector this fails if a second node sets it.
func TestNodesOfOneProcessShareKratosLog(t *testing.T) {
	debug := &conf.Log{Level: "debug"}
	newLogger(debug, &bytes.Buffer{})
	var running sync.WaitGroup
	running.Go(func() {
		for range 100 {
			klog.Info("of a node that runs")
		}
	})
	last := &bytes.Buffer{}
	newLogger(debug, last)
	running.Wait()
	klog.Info("of whoever came last")
	if got := last.String(); !strings.Contains(got, "of whoever came last") {
		t.Errorf("the log of the node that started last has %q", got)
	}
}
