// Package registry makes a node known to those who look for its services, in Nacos, etcd or Consul,
// and keeps it known.
//
//	registrar.go  what is expected of a registry, and which kinds there are
//	instance.go   a service of this node, as consumers see it
//	address.go    where consumers connect to
//	keeper.go     registered while the node serves, whatever the registry does meanwhile
//	status.go     how it stands, for people
//	clock.go      what time it is there, for hermodctl doctor
//	metrics.go    and for machines
//	nacos.go etcd.go etcd_dial.go consul.go
//
// A Keeper owns its Registrar and is run by the node; it never fails because a registry does. Kratos
// has a registrar hook of its own, kratos.Registrar, which is not used: it registers once, makes a
// registry that is down at start a reason not to start, and deregisters after the hooks that drain.
//
// Registering goes through Kratos' contrib registries as far as they keep the promises made here.
// Consul's does not: it cannot be told apart from a service that is down while it registers again, and
// it logs every heartbeat that fails.
package registry
