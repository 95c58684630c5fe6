// Package centre reads and watches configuration in a config centre: etcd, Consul or Nacos.
//
// A source connects when it is first read and keeps its client until it is closed. It is safe for
// concurrent use. Credentials come from the address or from the environment and are shown nowhere.
package centre
