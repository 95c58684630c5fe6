// Package discovery says which instances of a service exist and chooses one of them.
//
// A ServiceDiscovery finds instances, a LoadBalancer chooses among them; sdk/client takes one of
// each in its Config. Programs that know their addresses need no ServiceDiscovery.
//
// All balancers of this package are safe for concurrent use. They keep the *ServiceInfo values
// they are given and never change them; the caller must not change them afterwards either.
package discovery
