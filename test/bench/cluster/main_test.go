package cluster

import (
	"fmt"
	"os"
	"testing"

	"github.com/game-im/hermod/test/brokers"
	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) {
	switch served, err := brokers.ServeNATS(); {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case served:
		return
	case os.Getenv(BenchCluster) == "":
		os.Exit(m.Run()) // no node is started
	}
	os.Exit(process.Main(m, "app/hermod/cmd/hermod"))
}
