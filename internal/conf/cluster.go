package conf

import "strings"

// The values of cluster.type.
const (
	ClusterNone  = "none"
	ClusterNATS  = "nats"
	ClusterRedis = "redis"
)

// maxClusterName bounds cluster.name, which is a part of every subject.
const maxClusterName = 64

// Addresses returns the host:port pairs of cluster.addrs.
func (c *Cluster) Addresses() []string { return CommaList(c.GetAddrs()) }

// Peers returns the host:port pairs of cluster.embedded.routes.
func (e *Cluster_Embedded) Peers() []string { return CommaList(e.GetRoutes()) }

// Within tells whether the nodes run the engine themselves.
func (c *Cluster) Within() bool { return c.GetType() == ClusterNATS && len(c.Addresses()) == 0 }

// Joined tells whether the node is one of many.
func (c *Cluster) Joined() bool { return c.GetType() != ClusterNone && c.GetType() != "" }

func checkCluster(c *Config, ps *Problems) {
	cluster := c.GetCluster()
	if !cluster.Joined() || limits["hermod.conf.Cluster.type"].checkWord(cluster.GetType()) != "" {
		return // nothing of it is read, or the type was reported already
	}
	if c.GetData().GetDatabase().GetDriver() == "sqlite" {
		ps.add("cluster.type", "%s is for nodes that share a database, and one node owns a SQLite file; "+
			"set data.database.driver to postgres or mysql", cluster.GetType())
	}
	if c.GetAuth().GetMode() == ModeDev {
		ps.add("cluster.type", "%s connects machines, and auth.mode dev believes every caller; "+
			"set auth.mode to jwt (tokens) or trusted (private networks)", cluster.GetType())
	}
	checkClusterName(cluster.GetName(), ps)
	checkClusterAddrs(cluster, ps)
	checkClusterCredentials(cluster, ps)
	checkClusterCertificates(cluster, ps)
	checkClientTLS("cluster.tls", cluster.GetTls(), ps)
}

func checkClusterName(name string, ps *Problems) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if name == "" || len(name) > maxClusterName || strings.Trim(name, allowed) != "" {
		ps.add("cluster.name", "is %q; 1 to %d letters, digits, hyphens and underscores make a name", name, maxClusterName)
	}
}

func checkClusterAddrs(c *Cluster, ps *Problems) {
	addrs := c.Addresses()
	checkReachable("cluster.addrs", addrs, ps)
	switch {
	case c.GetType() == ClusterRedis && len(addrs) == 0:
		ps.add("cluster.addrs", "is empty; cluster.type redis needs host:port (HERMOD_CLUSTER_ADDR sets it)")
	case c.GetType() == ClusterRedis && len(addrs) > 1 && !c.GetRedis().GetSharded():
		ps.add("cluster.addrs", "has %d addresses; without cluster.redis.sharded it is one Redis", len(addrs))
	case c.GetType() == ClusterNATS && c.GetRedis().GetSharded():
		ps.add("cluster.redis.sharded", "belongs to redis; cluster.type is nats")
	}
	if !c.Within() {
		return
	}
	e := c.GetEmbedded()
	if _, port, err := splitAddr(e.GetListen()); err != nil || port == 0 {
		ps.add("cluster.embedded.listen", "%q is not where others connect to; write host:port", e.GetListen())
	}
	if e.GetAdvertise() != "" {
		checkReachable("cluster.embedded.advertise", []string{e.GetAdvertise()}, ps)
	}
	checkReachable("cluster.embedded.routes", e.Peers(), ps)
}

// checkReachable reports addresses that cannot be connected to.
func checkReachable(path string, addrs []string, ps *Problems) {
	for _, addr := range addrs {
		host, port, err := splitAddr(addr)
		switch {
		case err != nil:
			ps.add(path, "%q is not an address: %v", addr, err)
		case host == "" || port == 0:
			ps.add(path, "%q cannot be connected to; write host:port", addr)
		}
	}
}

// checkClusterCredentials refuses what the engine has no use for: to ignore it would leave it open.
func checkClusterCredentials(c *Cluster, ps *Problems) {
	if c.GetType() != ClusterNATS && c.GetType() != ClusterRedis { // what it has a use for is its own affair
		return
	}
	user, password := c.GetUsername() != "", c.GetPassword() != ""
	kinds := 0
	for _, k := range []struct {
		key   string
		given bool
	}{
		{"cluster.username", user || password}, {"cluster.token", c.GetToken() != ""},
		{"cluster.creds_file", c.GetCredsFile() != ""}, {"cluster.nkey_file", c.GetNkeyFile() != ""},
	} {
		if !k.given {
			continue
		}
		kinds++
		switch {
		case k.key == "cluster.username":
		case c.GetType() == ClusterRedis:
			ps.add(k.key, "belongs to nats; cluster.type is redis")
		case c.Within():
			ps.add(k.key, "belongs to a NATS server; nodes that run it themselves show each other a username and a password")
		case kinds > 1:
			ps.add(k.key, "is one credential too many; username and password, token, creds_file and nkey_file exclude each other")
		}
	}
	if user && !password || password && !user && c.GetType() == ClusterNATS {
		ps.add("cluster.password", "username and password are given together, or neither")
	}
}

// checkClusterCertificates refuses what leaves it to others who is a node.
func checkClusterCertificates(c *Cluster, ps *Problems) {
	if !c.Within() || !c.GetTls().GetEnabled() {
		return
	}
	if c.GetTls().GetCertFile() == "" {
		ps.add("cluster.tls.cert_file", "is empty; nodes that run NATS themselves show each other a certificate")
	}
	if c.GetTls().GetCaFile() == "" && c.GetUsername() == "" {
		ps.add("cluster.tls.ca_file", "is empty; whoever has a certificate of an authority that the system trusts would be a node; "+
			"name the authority of the nodes' certificates, or give the nodes a username and a password")
	}
}
