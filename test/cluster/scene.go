package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/databases"
	"github.com/game-im/hermod/test/process"
	"github.com/game-im/hermod/test/proxy"
)

// serviceToken is what services show.
const serviceToken = "the-token-of-the-services"

// patience is for what must happen on a loaded machine too.
const patience = 4 * process.Patience

// scene is some nodes on one database, with an engine between them. It belongs to the test's goroutine.
type scene struct {
	t      *testing.T
	engine *engine
	nodes  []*node
}

// node is one of them, and its networks.
type node struct {
	*process.Node
	toStore  *proxy.Proxy
	toEngine *proxy.Proxy // nil: the engine is within the nodes
}

// nodeConfig lets sessions survive the moment between two nodes and has clients be heard often.
const nodeConfig = `
auth: {mode: trusted, service_token: %q}
session: {heartbeat: 5s, resume_window: 60s, presence_grace: 5s}
server: {stop: {drain: 2s}, keepalive: {time: 5s, timeout: 3s}}
gateway: {ack_timeout: 5s}
data: {database: {driver: postgres, dsn: %q}}
`

// open starts nodes with an engine of the given kind, and waits until they know each other.
func open(t *testing.T, kind string, count int) *scene {
	t.Helper()
	return openAs(t, kind, count, "")
}

// openAs does the same with nodes of another binary; empty: the one that was built for the tests.
func openAs(t *testing.T, kind string, count int, binary string) *scene {
	t.Helper()
	databases.Need(t, "postgres")
	s := &scene{t: t, engine: engines[kind](t, count)}
	db := databases.StartPostgres(t)
	dsn := db.Create()
	for i := range count {
		n := &node{toStore: proxy.New(t, db.Addr())}
		yaml := fmt.Sprintf(nodeConfig, serviceToken, strings.Replace(dsn, db.Addr(), n.toStore.Addr, 1))
		cluster, link := s.engine.configure(t, i)
		n.toEngine = link
		n.Node = process.Prepare(t, yaml+cluster)
		n.Binary = binary
		s.nodes = append(s.nodes, n)
	}
	s.boot()
	return s
}

// boot starts all nodes side by side.
func (s *scene) boot() {
	s.t.Helper()
	for _, n := range s.nodes {
		n.Spawn()
	}
	s.together()
}

// together waits until all nodes are ready and each knows all others.
func (s *scene) together() {
	s.t.Helper()
	for i := range s.nodes {
		s.knows(i)
	}
}

// knows waits until a node is ready and knows all others.
func (s *scene) knows(i int) {
	s.t.Helper()
	n, want := s.nodes[i], fmt.Sprintf("others: %d\n", len(s.nodes)-1)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		_, page := n.Page("/readyz")
		if strings.HasPrefix(page, "ready") && strings.Contains(page, want) {
			return
		}
		if n.Ended() {
			s.t.Fatalf("node %d has ended:\n%s", i, n.Log())
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: node %d is ready and knows the others; it says %q", patience, i, page)
		}
	}
}

// doors are where clients connect to: any node, the given one first.
func (s *scene) doors(first int) (all []*discovery.ServiceInfo) {
	for i := range s.nodes {
		all = append(all, &discovery.ServiceInfo{ID: fmt.Sprint(i), Address: s.nodes[(first+i)%len(s.nodes)].IM})
	}
	return all
}

// door is where the clients of one node connect to.
func (s *scene) door(node int) []*discovery.ServiceInfo {
	return []*discovery.ServiceInfo{{Address: s.nodes[node].IM}}
}

// pushes returns what a service pushes with at one node.
func (s *scene) pushes(node int) *upstream.UnicastClient {
	s.t.Helper()
	c := upstream.NewUnicastClient(s.nodes[node].Gateway, upstream.WithTimeout(process.Patience), upstream.WithToken(serviceToken), upstream.WithInsecure())
	if err := c.Connect(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() }) // fails when the node is gone
	return c
}

// dial connects to one node's IM listener.
func (s *scene) dial(node int) *grpc.ClientConn {
	s.t.Helper()
	conn, err := grpc.NewClient(s.nodes[node].IM, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() }) // closing twice is its only error
	return conn
}

// join makes users members of a room, by a call to one node.
func (s *scene) join(node int, room string, users ...string) {
	s.t.Helper()
	im := imv1.NewIMServiceClient(s.dial(node))
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for _, user := range users {
		resp, err := im.JoinRoom(ctx, &imv1.JoinRoomRequest{UserId: user, RoomId: room}, grpc.WaitForReady(true))
		if err == nil && resp.GetStatus().GetCode() != 0 {
			err = errors.New(resp.GetStatus().GetMessage())
		}
		if err != nil {
			s.t.Fatalf("%s joins %s: %v", user, room, err)
		}
	}
}
