//nolint:forbidigo // what an example prints is what it shows
package discovery_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
)

// instances of a service whose addresses are known.
var instances = []*discovery.ServiceInfo{
	{ID: "a", Name: "im-service", Address: "10.0.1.1", Port: 8083, Metadata: map[string]string{"weight": "2"}},
	{ID: "b", Name: "im-service", Address: "10.0.1.2", Port: 8083},
	{ID: "c", Name: "im-service", Address: "10.0.1.3", Port: 8083, Health: discovery.HealthUnhealthy},
}

// choose prints which instances n choices in a row lead to.
func choose(balancer discovery.LoadBalancer, n int) {
	var ids []string
	for range n {
		chosen, err := balancer.Select(nil)
		check(err)
		ids = append(ids, chosen.ID)
	}
	fmt.Println(strings.Join(ids, " "))
}

// check ends the program. A service would try again, or report.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleRoundRobinBalancer() {
	balancer := discovery.NewRoundRobinBalancer()
	balancer.Update(instances)
	choose(balancer, 4) // c is unhealthy
	// Output: a b a b
}

func ExampleWeightedRoundRobinBalancer() {
	balancer := discovery.NewWeightedRoundRobinBalancer()
	balancer.Update(instances)
	choose(balancer, 6)
	// Output: a b a a b a
}

func ExampleWeightedRoundRobinBalancer_Refused() {
	balancer := discovery.NewWeightedRoundRobinBalancer()
	balancer.Update([]*discovery.ServiceInfo{
		{ID: "a", Address: "10.0.1.1", Port: 8083},
		{ID: "b", Address: "10.0.1.2", Port: 8083, Metadata: map[string]string{"weight": "0"}},
	})
	choose(balancer, 2)
	fmt.Println(balancer.Refused())
	// Output:
	// a a
	// discovery: weight "0" of instance b: allowed are decimals from 0.001 to 1000000 with at most three digits after the point, or no weight, which counts as 1
}

func ExampleRandomBalancer() {
	balancer := discovery.NewRandomBalancer()
	chosen, err := balancer.Select(instances[:1])
	check(err)
	fmt.Println(chosen.Target())
	// Output: 10.0.1.1:8083
}

// A client that sets Key stays on the instance to which its user belongs.
func ExampleConsistentHashBalancer() {
	balancer := discovery.NewConsistentHashBalancer()
	balancer.Key = "alice"
	balancer.Update(instances)
	choose(balancer, 3)
	// Output: b b b
}

func ExampleConsistentHashBalancer_SelectByKey() {
	balancer := discovery.NewConsistentHashBalancer()
	for _, user := range []string{"alice", "bob", "carol", "dave"} {
		chosen, err := balancer.SelectByKey(instances, user)
		check(err)
		fmt.Println(user, chosen.ID)
	}
	// Output:
	// alice b
	// bob a
	// carol a
	// dave a
}

func ExampleFailureReporter() {
	balancer := discovery.NewRoundRobinBalancer()
	balancer.Update(instances)
	balancer.Failed(instances[0]) // it could not be reached
	choose(balancer, 3)
	// Output: b b b
}

func ExampleStaticDiscovery() {
	found, err := discovery.NewStaticDiscovery(instances[0])
	check(err)
	defer found.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lists, err := found.Watch(ctx, "im-service")
	check(err)
	fmt.Println(len(<-lists), "instance")
	check(found.Register(ctx, instances[1]))
	fmt.Println(len(<-lists), "instances")
	// Output:
	// 1 instance
	// 2 instances
}

// Checks keep a balancer from instances that do not answer.
func ExampleGRPCHealthChecker() {
	balancer := discovery.NewRoundRobinBalancer()
	balancer.Update(instances)
	checker := discovery.NewGRPCHealthChecker()
	defer checker.Close()
	for _, instance := range instances {
		results := checker.StartHealthCheck(context.Background(), instance, 10*time.Second)
		go func() {
			for err := range results { // until StopHealthCheck or Close
				if err != nil {
					balancer.Failed(instance)
				}
			}
		}()
	}
}
