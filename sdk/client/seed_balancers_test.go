package client_test

import (
	"testing"

	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
)

func random(config *client.Config) {
	config.LoadBalancer = discovery.NewRandomBalancer()
}

func weightedRoundRobin(config *client.Config) []*discovery.ServiceInfo {
	config.LoadBalancer = discovery.NewWeightedRoundRobinBalancer()

	// 在服务信息中设置权重
	services := []*discovery.ServiceInfo{
		{
			Address: "server1",
			Port:    8083,
			Metadata: map[string]string{
				"weight": "3", // 权重为3
			},
		},
		{
			Address: "server2",
			Port:    8083,
			Metadata: map[string]string{
				"weight": "1", // 权重为1
			},
		},
	}
	return services
}

func consistentHash(config *client.Config, services []*discovery.ServiceInfo, userID string) (*discovery.ServiceInfo, error) {
	config.LoadBalancer = discovery.NewConsistentHashBalancer()

	// 可以根据用户ID进行哈希
	balancer := config.LoadBalancer.(*discovery.ConsistentHashBalancer)
	service, err := balancer.SelectByKey(services, userID)
	return service, err
}

// Every balancer of the document brings a client to the node.
func TestSeedBalancers(t *testing.T) {
	for name, set := range map[string]func(*client.Config){
		"random":               random,
		"weighted round robin": func(config *client.Config) { weightedRoundRobin(config) },
		"consistent hash": func(config *client.Config) {
			if _, err := consistentHash(config, []*discovery.ServiceInfo{{Address: "127.0.0.1", Port: 1}}, "user123"); err != nil {
				t.Error(err)
			}
		},
	} {
		config := client.DefaultConfig()
		config.UserID = "user123"
		set(config)
		directConnection(config, port(t))
		imClient, err := client.NewClient(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := imClient.Connect(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		imClient.Disconnect()
	}
}

// The weights of the document count, and the same user always has the same server.
func TestSeedWeights(t *testing.T) {
	config := client.DefaultConfig()
	services := weightedRoundRobin(config)
	chosen := map[string]int{}
	for range 12 {
		service, err := config.LoadBalancer.Select(services)
		if err != nil {
			t.Fatal(err)
		}
		chosen[service.Address]++
	}
	if chosen["server1"] != 9 || chosen["server2"] != 3 {
		t.Errorf("chosen %v", chosen)
	}
	first, err := consistentHash(config, services, "user123")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if again, err := consistentHash(config, services, "user123"); err != nil || again.Address != first.Address {
			t.Errorf("a user moved from %v to %v, %v", first, again, err)
		}
	}
}
