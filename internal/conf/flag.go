package conf

// Flag is a key that programs take on their command line.
type Flag struct {
	Name string
	Key  string // a scalar
	Help string // with the kind of value in backquotes
}

// Flags is every such key.
var Flags = []Flag{
	{"im", "server.im.addr", "`host:port` for clients (im.v1 gRPC)"},
	{"grpc", "server.gateway.addr", "`host:port` for business services that push (gRPC)"},
	{"http", "server.http.addr", "`host:port` for clients that fetch recordings (HTTP)"},
	{"quic", "server.quic.addr", "`host:port` for clients of the gateway protocol (QUIC, UDP)"},
	{"ops", "server.ops.addr", "`host:port` for health, metrics and profiles (HTTP)"},
}

// Override is what the flag does when it is given.
func (f Flag) Override(value string) Override {
	return Override{Path: f.Key, Value: value, From: "flag -" + f.Name}
}
