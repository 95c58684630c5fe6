package hermodctl

import "github.com/spf13/cobra"

// commands is every command, in the order of the help. A new one is a file with its constructor
// and a line here.
var commands = []func(*streams) *cobra.Command{
	newChat,
	newPush,
	newBatch,
	newSessions,
	newTail,
	newRoom,
	newWebhooks,
	newInbox,
	newBench,
	newConfig,
	newPlugin,
	newBackup,
	newRestore,
	newDoctor,
	newVersion,
}
