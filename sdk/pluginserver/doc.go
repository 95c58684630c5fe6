// Package pluginserver runs a plugin in a process of its own. The same value that is linked into a node with
// hermod.Main(mine.Plugin) is served to nodes with
//
//	func main() { pluginserver.Main(mine.Plugin) }
//
// and what it may rely on is the same: a panic is its call's failure, contexts end when the node gives up,
// keys come from the node's configuration. Its log goes to the standard error output, which is the node's
// log when the node has started the process.
//
// A Server is safe for concurrent use. It calls the plugin in a goroutine for each call, at most
// 1,024 at once; what is beyond is refused as unavailable.
package pluginserver
