package engines

import (
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/realtime/broker/redisbroker"
	"github.com/game-im/hermod/plugin"
)

// redis is the plugin redis: one Redis, or a Redis Cluster.
type redis struct {
	keys struct {
		Addrs    string       `json:"addrs"` // host:port, with commas between them
		Username string       `json:"username"`
		Password string       `json:"password"`
		TLS      conf.TLSKeys `json:"tls"`
		Redis    struct {
			Sharded bool `json:"sharded"`
		} `json:"redis"`
	}
}

func (*redis) Name() string { return conf.ClusterRedis }

func (r *redis) Config() any { return &r.keys }

// OpenBus implements plugin.Broker.
func (r *redis) OpenBus(plugin.ClusterNode) (plugin.Bus, error) {
	secured, err := r.keys.TLS.Config("cluster.tls")
	if err != nil {
		return nil, err
	}
	return redisbroker.New(redisbroker.Options{
		Addrs: conf.CommaList(r.keys.Addrs), Cluster: r.keys.Redis.Sharded,
		User: r.keys.Username, Password: r.keys.Password, TLS: secured,
	})
}
