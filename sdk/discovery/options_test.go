package discovery_test

import (
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
)

func TestOptionsAreRefused(t *testing.T) {
	t.Parallel()
	consul := func(o ...discovery.Option) error {
		_, err := discovery.NewConsulDiscovery("127.0.0.1:1", o...)
		return err
	}
	etcd := func(o ...discovery.Option) error {
		_, err := discovery.NewEtcdDiscovery([]string{"127.0.0.1:1"}, "", o...)
		return err
	}
	nacos := func(o ...discovery.Option) error {
		_, err := discovery.NewNacosDiscovery([]string{"127.0.0.1:1"}, o...)
		return err
	}
	nowhere := discovery.WithTLSFiles(discovery.TLSFiles{CA: "/nowhere.pem"})
	for name, tt := range map[string]struct {
		err  error
		want string // part of it
	}{
		"group for Consul":      {consul(discovery.WithGroup("g")), "Consul has no use for WithGroup"},
		"namespace for etcd":    {etcd(discovery.WithNamespace("n")), "etcd has no use for WithNamespace"},
		"tls.Config for Nacos":  {nacos(discovery.WithTLS(nil)), "Nacos has no use for WithTLS"},
		"short lease":           {etcd(discovery.WithLease(time.Second)), "allowed are whole seconds from 2s"},
		"uneven lease":          {etcd(discovery.WithLease(2500 * time.Millisecond)), "whole seconds"},
		"no CA for Consul":      {consul(nowhere), "TLSFiles.CA"},
		"no CA for etcd":        {etcd(nowhere), "TLSFiles.CA"},
		"no CA for Nacos":       {nacos(nowhere), "TLSFiles.CA"},
		"no address of Consul":  {second(discovery.NewConsulDiscovery("")), "no address"},
		"no endpoints of etcd":  {second(discovery.NewEtcdDiscovery(nil, "")), "no endpoints"},
		"no addresses of Nacos": {second(discovery.NewNacosDiscovery(nil)), "no addresses"},
		"a wrong one of Nacos":  {second(discovery.NewNacosDiscovery([]string{"http://nacos"})), "host or host:port"},
		"a wrong port of Nacos": {second(discovery.NewNacosDiscovery([]string{"nacos:99999"})), "host or host:port"},
	} {
		if tt.err == nil || !strings.Contains(tt.err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one with %q", name, tt.err, tt.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }
