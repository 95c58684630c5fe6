// Command etcdd is an etcd server for tests: one member that listens on the loopback alone and keeps
// its data in its directory.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

const startTimeout = 60 * time.Second

func main() {
	client := flag.Int("port", 2379, "client port")
	peer := flag.Int("peer-port", 2380, "peer port, which nobody connects to")
	dir := flag.String("dir", ".", "where the data is")
	cert := flag.String("cert", "", "certificate, PEM; clients connect with TLS")
	key := flag.String("key", "", "its key, PEM")
	flag.Parse()
	c := config(*client, *peer, *dir)
	if *cert != "" {
		c.ClientTLSInfo = transport.TLSInfo{CertFile: *cert, KeyFile: *key}
		for _, urls := range [][]url.URL{c.ListenClientUrls, c.AdvertiseClientUrls} {
			urls[0].Scheme = "https"
		}
	}
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, "etcdd:", err)
		os.Exit(1)
	}
}

func run(c *embed.Config) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	etcd, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	defer etcd.Close()
	select {
	case <-etcd.Server.ReadyNotify():
	case <-time.After(startTimeout):
		return errors.New("not ready in time")
	case <-stop:
		return nil
	}
	select {
	case err := <-etcd.Err():
		return err
	case <-stop:
		return nil
	}
}

func config(client, peer int, dir string) *embed.Config {
	c := embed.NewConfig()
	c.Dir = dir
	c.LogLevel = "warn"
	c.UnsafeNoFsync = true // tests kill the server, never the machine
	clients, peers := loopback(client), loopback(peer)
	c.ListenClientUrls, c.AdvertiseClientUrls = clients, clients
	c.ListenPeerUrls, c.AdvertisePeerUrls = peers, peers
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	return c
}

func loopback(port int) []url.URL {
	return []url.URL{{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}}
}
