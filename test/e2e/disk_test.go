package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/databases"
)

// TestDiskFull: while the disk with the node's own database is full, senders are told, and all goes on
// when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	d := newDisk(t, "size=16m")
	n := Prepare(t, fmt.Sprintf(outageConfig, outageQueue, "sqlite", ""))
	n.Env = append(n.Env, "HERMOD_DATA_DIR="+d.path)
	n.Boot()
	outlives(n, func() { n.fillUp(d) }, d.free)
}

// TestDiskFullOnServers: the same with a database that is a server. One that gives up and ends is started
// again, as whoever runs it would do once there is room.
func TestDiskFullOnServers(t *testing.T) {
	t.Parallel()
	for driver := range databases.Start {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			databases.Need(t, driver)
			d := newDisk(t, "size=256m")
			s := databases.StartIn(t, driver, d.path)
			n := Start(t, fmt.Sprintf(outageConfig, outageQueue, driver, s.Create()))
			outlives(n, func() { n.fillUp(d) }, func() {
				d.free()
				n.within(2*patience, "the node is ready again", func() bool {
					if !s.Running() {
						s.Kill()
						s.Restart()
					}
					return n.Ready()
				})
			})
		})
	}
}

// fillUp fills a disk, and what the database has set aside on it for itself as well.
func (n *Node) fillUp(d *disk) {
	t := n.t
	t.Helper()
	im := n.Calls()
	join(t, im, "ballast", "porter")
	d.fill()
	content := make([]byte, 60<<10)
	n.within(2*patience, "nothing more can be stored", func() bool {
		_, err := im.SendMessage(within(t), &imv1.SendMessageRequest{UserId: "porter", RoomId: "ballast", Type: text, Content: content})
		if err != nil && status.Code(err) != codes.Unavailable {
			t.Errorf("told %v", err)
		}
		return err != nil
	})
}
