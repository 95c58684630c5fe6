package outbox

import (
	"os"
	"testing"

	"github.com/game-im/hermod/test/process"
)

func TestMain(m *testing.M) {
	if os.Getenv(envDriver) != "" {
		os.Exit(shop()) // this process is the service
	}
	os.Exit(process.Main(m, "app/hermod/cmd/hermod"))
}
