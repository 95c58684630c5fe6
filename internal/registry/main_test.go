package registry_test

import (
	"os"
	"testing"

	"github.com/nacos-group/nacos-sdk-go/v2/util"
)

func TestMain(m *testing.M) {
	// Nacos' clients find out the machine's address when they first need it, and keep it in a variable
	// without a lock. A node has one client; these tests have many.
	util.LocalIP()
	os.Exit(m.Run())
}
