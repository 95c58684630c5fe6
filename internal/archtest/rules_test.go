package archtest

// A layer is a folder with everything below it, as far as no longer folder of the list covers it.
// "*" stands for one path element. A layer may import itself, the standard library and what it
// lists, with everything below that; imports from other modules are free unless stdAlone is set or a ban forbids them.
type layer struct {
	folder   string
	may      []string
	stdAlone bool
	why      string
}

// layers covers every folder that holds Go: a package outside all of them fails the test.
var layers = []layer{
	{
		folder: "api",
		why:    "others generate against it and import it, so it depends on nothing of ours",
	},
	{
		folder: "plugin", stdAlone: true,
		why: "a plugin must build against it without dragging the node and its dependencies along",
	},
	{
		folder: "plugin/plugintest", may: []string{"plugin"},
		why: "a plugin is checked by its contract, without the node",
	},
	{
		folder: "plugin/nodetest", may: []string{"plugin", "app/*", "api", "internal/realtime/transport", "internal/server", "sdk/pluginserver"},
		why: "a plugin's test runs a whole node in one line, and holds transports against the suite of the node's own; its tests have a plugin outside of one",
	},
	{
		folder: "plugin/kratosplugin", may: []string{"plugin"},
		why: "it speaks of plugins in the terms of Kratos, and whoever does without builds without them",
	},
	{
		folder: "sdk", may: []string{"api"},
		why: "it is linked into other people's programs and knows the server by its wire alone",
	},
	{
		folder: "sdk/webhook", may: []string{"api"},
		why: "receivers link it, and the node does, so that both sign alike: it knows neither",
	},
	{
		folder: "sdk/outbox", may: []string{"api", "sdk"},
		why: "it works on the database of a service, which those who have none must not pay for",
	},

	{
		folder: "app/*/cmd", may: []string{"app/*"}, stdAlone: true,
		why: "a main only calls its app, so that a user's own node can be a copy of it",
	},
	{
		folder: "app/hermodctl", may: []string{"app/hermodctl/bench", "app/hermodctl/scaffold", "internal", "api", "plugin", "sdk"},
		why: "programs share nothing with each other; what loads a node stands apart, for benchmarks that do too",
	},
	{
		folder: "app/*", may: []string{"internal", "api", "plugin", "sdk"},
		why: "programs put the parts together and share nothing with each other",
	},
	{
		folder: "app/hermodctl/bench", may: []string{"api"},
		why: "it loads any node and knows it by its wire alone; benchmarks load theirs and a bare loop with it",
	},

	{
		folder: "internal/server",
		may: []string{
			"internal/service", "internal/protocol", "internal/realtime", "internal/biz",
			"internal/auth", "internal/conf", "api", "plugin",
		},
		why: "it brings bytes to services and protocols and reaches the store through neither",
	},
	{
		folder: "internal/imcall", may: []string{"internal/biz", "api"},
		why: "the calls of im.v1 come over gRPC and over gateway sessions and are translated in one place",
	},
	{
		folder: "internal/service", may: []string{"internal/imcall", "internal/biz", "internal/realtime", "api"},
		why: "it translates calls into rules and back, and holds none itself",
	},
	{
		folder: "internal/protocol", may: []string{"internal/imcall", "internal/biz", "internal/realtime", "api"},
		why: "it translates frames into rules and back, and holds none itself",
	},
	{
		folder: "internal/linked", may: []string{"internal/conf", "plugin"},
		why: "what is chosen by name does not matter to the choice",
	},
	{
		folder: "internal/transcriber", may: []string{"plugin"},
		why: "a transcriber that is shipped is a plugin like those of other people, and knows no more of the node",
	},
	{
		folder: "internal/plugins", may: []string{"internal/biz", "internal/linked", "internal/conf", "internal/plugins/keys", "plugin"},
		why: "it stands between the rules and plugins, by the interfaces of both; only the program that wires it in sees it",
	},
	{
		folder: "internal/plugins/keys", stdAlone: true,
		why: "keys are set in the same way in a node and in the process of a plugin",
	},
	{
		folder: "internal/plugins/frames", may: []string{"api", "plugin"},
		why: "node and plugin speak by the same table, whichever of the two a program is",
	},
	{
		folder: "internal/plugins/remote", may: []string{"internal/plugins/frames", "internal/conf", "api", "plugin"},
		why: "a plugin that runs outside is one like those of other people to the host, and known to nobody else",
	},
	{
		folder: "sdk/pluginserver", may: []string{"internal/plugins/frames", "internal/plugins/keys", "api", "plugin"},
		why: "the process of a plugin is the other half of what the node has in internal/plugins, and no third thing",
	},
	{
		folder: "internal/plugins/wordfilter", may: []string{"plugin"},
		why: "a plugin that is shipped is one like those of other people, and knows no more of the node",
	},
	{
		folder: "internal/plugins/webhook", may: []string{"plugin", "sdk/webhook"},
		why: "a plugin that is shipped is one like those of other people; how requests are signed is said once, beside what verifies them",
	},
	{
		folder: "internal/plugins/exportevent", may: []string{"plugin"},
		why: "all exports publish the same event, which is said once, whatever carries it",
	},
	{
		folder: "internal/plugins/kafkaexport", may: []string{"internal/plugins/exportevent", "plugin"},
		why: "a plugin that is shipped is one like those of other people, and knows no more of the node; what it publishes is what every export does",
	},
	{
		folder: "internal/plugins/natsexport", may: []string{"internal/plugins/exportevent", "plugin"},
		why: "a plugin that is shipped is one like those of other people, and knows no more of the node; what it publishes is what every export does",
	},
	{
		folder: "internal/plugins/mobilepush", may: []string{"plugin"},
		why: "a plugin that is shipped is one like those of other people, and knows no more of the node",
	},
	{
		folder: "internal/auth", may: []string{"internal/biz", "internal/conf", "plugin"},
		why: "who somebody is does not depend on how his bytes arrive",
	},
	{
		folder: "internal/data", may: []string{"internal/biz", "internal/conf", "plugin"},
		why: "it stores for the rules and is seen by nobody but the program that wires it in",
	},
	{
		folder: "internal/data/blob", may: []string{"plugin"},
		why: "a store of recordings that is shipped is a plugin like those of other people, and knows no more of the node",
	},
	{
		folder: "internal/webhook", may: []string{"internal/biz", "sdk/webhook"},
		why: "it delivers for the rules, as upstream calls for them; how requests are signed is said once, beside what verifies them",
	},
	{
		folder: "internal/engines", may: []string{"internal/realtime/broker", "internal/conf", "plugin"},
		why: "a broker that is shipped is a plugin like those of other people: a bus, with keys of its own",
	},
	{
		folder: "internal/recording", may: []string{"internal/biz"},
		why: "what a file is does not depend on where it is kept, nor on who sends it",
	},
	{
		folder: "internal/registry", may: []string{"internal/conf", "plugin"},
		why: "where nodes are found is independent of what they do",
	},
	{
		folder: "internal/upstream", may: []string{"internal/biz", "internal/conf", "api"},
		why: "it calls business services for the rules, as data stores for them; only the program that wires it in sees it",
	},
	{
		folder: "internal/biz", may: []string{"plugin"},
		why: "the rules own the interfaces they need; arrows point to them, never from them",
	},
	{
		folder: "configs", stdAlone: true,
		why: "it only embeds the files beside it",
	},
	{
		folder: "internal/conf", may: []string{"configs"},
		why: "every part is given its own settings and none of them is known to the schema",
	},
	{
		folder: "internal/archtest", stdAlone: true,
		why: "it judges the others and must not hang on them",
	},

	{
		folder: "internal/realtime", may: []string{"plugin"},
		why: "the hot path is a library that knows no other part of the node",
	},
	{
		folder: "internal/realtime/node",
		may: []string{
			"internal/realtime/hub", "internal/realtime/session", "internal/realtime/transport",
			"internal/realtime/frame", "internal/realtime/broker", "internal/realtime/presence", "internal/realtime/overload", "plugin",
		},
		why: "inside realtime arrows run node, hub, session, transport, frame; the node joins hub, broker and presence",
	},
	{
		folder: "internal/realtime/hub",
		may: []string{
			"internal/realtime/session", "internal/realtime/transport", "internal/realtime/frame", "internal/realtime/overload", "plugin",
		},
		why: "inside realtime arrows run node, hub, session, transport, frame",
	},
	{
		folder: "internal/realtime/session",
		may:    []string{"internal/realtime/transport", "internal/realtime/frame", "internal/realtime/overload", "plugin"},
		why:    "a session does not know who else is connected",
	},
	{
		folder: "internal/realtime/transport", may: []string{"internal/realtime/frame", "plugin"},
		why: "a connection carries frames and does not know whose",
	},
	{
		folder: "internal/realtime/overload", may: []string{"internal/realtime/transport", "plugin"},
		why: "a node's limits are counted without knowing who is counted",
	},
	{
		folder: "internal/realtime/frame", may: []string{"plugin"},
		why: "a frame is given its encoders and knows neither protocol nor receiver",
	},
	{
		folder: "internal/realtime/broker", may: []string{"internal/realtime/frame", "plugin"},
		why: "a broker carries publications between nodes and knows no session",
	},
	{
		folder: "internal/realtime/presence", may: []string{"plugin"},
		why: "who is online is a fact beside the sessions, not made of them",
	},

	{
		folder: "docs/examples", may: []string{"api", "sdk", "plugin", "app/*"},
		why: "an example can do what its reader can, who may run a node inside a program of his own",
	},
	{
		folder: "test", may: []string{"api", "plugin", "sdk", "test/loopback", "test/process", "test/proxy"},
		why: "a black-box test sees what a user sees, who may write plugins",
	},
	{
		folder: "test/exports", may: []string{"api", "test/loopback", "test/process"},
		why: "a black-box test sees what a user sees: a node, and what others read of it",
	},
	{
		folder: "test/outbox", may: []string{"api", "sdk", "test/databases", "test/loopback", "test/process"},
		why: "a black-box test sees what a user sees: a node, and a service with a database of its own",
	},
	{
		folder: "test/bench", may: []string{"app/hermodctl/bench", "api", "test/loopback"},
		why: "it loads a node with what its users load theirs with, and a bare loop with the same",
	},
	{
		folder: "test/bench/store", may: []string{"app/hermodctl/bench", "internal/biz", "internal/data", "test/loopback"},
		why: "it measures the store by itself, and a node around it as its users load theirs",
	},
	{
		folder: "test/cluster", may: []string{"api", "sdk", "test/brokers", "test/databases", "test/loopback", "test/process", "test/proxy"},
		why: "a black-box test sees what a user sees, and breaks what is around the nodes",
	},
	{
		folder: "test/bench/cluster", may: []string{"app/hermodctl/bench", "test/loopback", "test/process"},
		why: "it loads many nodes as their users load one",
	},
	{
		folder: "app/hermodctl/scaffold", stdAlone: true,
		why: "it writes files, and knows of the node what is in them",
	},
	{
		folder: "test/process", may: []string{"test/loopback"},
		why: "it starts the programs, and knows nothing of what they do",
	},
	{
		folder: "test/proxy", stdAlone: true,
		why: "it breaks connections, whatever they carry",
	},
	{
		folder: "test/loopback", stdAlone: true,
		why: "it hands out addresses to tests of every layer",
	},
	{
		folder: "test/authority", stdAlone: true,
		why: "it issues certificates to tests of every layer",
	},
	{
		folder: "test/brokers", may: []string{"test/loopback"},
		why: "it starts programs that are not ours, for tests of every layer",
	},
	{
		folder: "test/databases", may: []string{"test/loopback"},
		why: "it starts programs that are not ours, for tests of every layer",
	},
	{
		folder: "test/registries", may: []string{"test/loopback"},
		why: "it starts programs that are not ours, for tests of every layer",
	},
}

// A ban keeps packages of other modules out of folders. A package is named with what is below it;
// folders match as in layers.
type ban struct {
	packages []string
	in       []string // empty: everywhere
	except   []string
	why      string
}

var bans = []ban{
	{
		packages: []string{"gorm.io", "github.com/glebarez"}, except: []string{"internal/data", "sdk/outbox", "test/outbox"},
		why: "rows and queries stay in internal/data, or a change of schema is a change everywhere; those of an outbox are a service's",
	},
	{
		packages: []string{"github.com/go-kratos"}, in: []string{"internal/biz", "internal/realtime"},
		why: "the framework ends at the edges: rules and hot path must outlive it",
	},
	{
		packages: []string{"github.com/google/wire"}, in: []string{"internal/biz", "internal/realtime", "sdk"},
		why: "composition is the program's business",
	},
	{
		packages: []string{"google.golang.org/grpc", "google.golang.org/protobuf", "google.golang.org/genproto", "github.com/golang/protobuf"},
		in:       []string{"internal/biz"},
		why:      "rules speak of rooms and messages, not of a wire",
	},
	{
		packages: []string{"github.com/pressly/goose", "modernc.org/sqlite"}, in: []string{"sdk"},
		why: "a client has no store to open",
	},
	{
		packages: []string{"github.com/nats-io"}, except: []string{"internal/realtime/broker", "internal/plugins/natsexport", "test/brokers", "test/exports"},
		why: "an engine is known to its bus alone, and to the export that is about it",
	},
	{
		packages: []string{"github.com/twmb"}, except: []string{"internal/plugins/kafkaexport", "test/exports"},
		why: "Kafka is known to the export that is about it",
	},
	{
		packages: []string{"github.com/redis"}, except: []string{"internal/realtime/broker", "test/brokers"},
		why: "an engine is known to its bus alone",
	},
	{
		packages: []string{"github.com/minio"}, except: []string{"internal/data", "test/registries"},
		why: "where the bytes of recordings are is the business of their store",
	},
	{
		packages: []string{"github.com/abema", "github.com/hajimehoshi", "github.com/jfreymuth", "github.com/pion"}, except: []string{"internal/recording"},
		why: "decoders see the bytes of strangers, behind the limits of one package",
	},
	{
		packages: []string{"C"},
		why:      "the binary is static and builds without a C compiler",
	},
}
