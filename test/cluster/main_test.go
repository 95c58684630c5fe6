package cluster

import (
	"os"
	"testing"

	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) {
	os.Exit(process.Main(m, "app/hermod/cmd/hermod", "app/hermodctl/cmd/hermodctl"))
}
