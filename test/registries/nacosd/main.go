// Command nacosd is a server of the Nacos protocol for tests: Polaris with its Nacos listener, its
// file store and nothing else. It listens on the loopback alone, its gRPC port is the HTTP port and
// 1000, and everything it writes is in its directory.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/polarismesh/polaris/apiserver/nacosserver"
	_ "github.com/polarismesh/polaris/auth/defaultauth"
	"github.com/polarismesh/polaris/bootstrap"
	_ "github.com/polarismesh/polaris/cache"
	_ "github.com/polarismesh/polaris/cache/auth"
	_ "github.com/polarismesh/polaris/cache/client"
	_ "github.com/polarismesh/polaris/cache/config"
	_ "github.com/polarismesh/polaris/cache/namespace"
	_ "github.com/polarismesh/polaris/cache/service"
	_ "github.com/polarismesh/polaris/config/interceptor"
	_ "github.com/polarismesh/polaris/plugin/cmdb/memory"
	_ "github.com/polarismesh/polaris/plugin/crypto/aes"
	_ "github.com/polarismesh/polaris/plugin/healthchecker/memory"
	_ "github.com/polarismesh/polaris/plugin/password"
	_ "github.com/polarismesh/polaris/plugin/ratelimit/token"
	_ "github.com/polarismesh/polaris/plugin/whitelist"
	_ "github.com/polarismesh/polaris/service/interceptor"
	_ "github.com/polarismesh/polaris/store/boltdb"
)

func main() {
	port := flag.Int("port", 8848, "HTTP port; the gRPC port is 1000 above it")
	dir := flag.String("dir", ".", "where the store and the log are")
	flag.Parse()
	if err := run(*port, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "nacosd:", err)
		os.Exit(1)
	}
}

func run(port int, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Whatever the server names by a relative path is to be in its directory.
	if err := os.Chdir(dir); err != nil {
		return err
	}
	file, err := filepath.Abs("nacosd.yaml")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(configuration, "PORT", fmt.Sprint(port))), 0o600); err != nil {
		return err
	}
	bootstrap.Start(file) // returns when it is told to stop, and when it could not start
	return nil
}
