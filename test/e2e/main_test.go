package e2e

import (
	"os"
	"testing"

	"github.com/nacos-group/nacos-sdk-go/v2/util"

	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) {
	// Nacos' clients keep the machine's address in a variable without a lock.
	util.LocalIP()
	os.Exit(process.Main(m, "app/hermod/cmd/hermod", "app/hermodctl/cmd/hermodctl", "app/upstream/cmd/upstream", "docs/examples/demo", "docs/examples/webhook"))
}
