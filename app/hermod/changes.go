package hermod

import (
	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

// spreadChanges has the nodes of a cluster tell each other what they change in the store, so that none goes on
// with what it remembers. Word that is lost only delays that: see data.DB.Changed. It is called before the node
// runs.
func spreadChanges(n *node.Node, db *data.DB, watching *protocol.Watches) {
	if n.ID() == "" {
		db.OnChange(func(c data.Change) { watching.Changed(c.Room, c.User) })
		return
	}
	n.Handle(node.KindChanged, func(r broker.Request) {
		var c wire.Change
		if proto.Unmarshal(r.Body, &c) == nil {
			db.Changed(data.Change{Room: biz.RoomID(c.GetRoom()), User: biz.UserID(c.GetUser()), Version: c.GetVersion()})
			watching.Changed(biz.RoomID(c.GetRoom()), biz.UserID(c.GetUser()))
		}
	})
	n.OnMissed(func(channel string) {
		if channel == "" {
			db.ForgetAll()
		}
	})
	db.OnChange(func(c data.Change) {
		watching.Changed(c.Room, c.User)
		body, err := proto.Marshal(&wire.Change{Room: string(c.Room), User: string(c.User), Version: c.Version})
		if err == nil { // texts in the store are UTF-8
			_ = n.Tell(broker.EveryNode, node.KindChanged, body) // out of reach, they forget everything once they are back
		}
	})
}
