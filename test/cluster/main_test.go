package cluster

import (
	"os"
	"testing"

	"github.com/game-im/hermod/test/databases"
	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) {
	if os.Getenv(databases.Enabled) == "" {
		os.Exit(m.Run()) // no node is started
	}
	os.Exit(process.Main(m, "app/hermod/cmd/hermod", "app/hermodctl/cmd/hermodctl"))
}
