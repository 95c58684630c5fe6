package cluster

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/process"
)

// oldVariable names a hermod of another version, which nodes begin as.
const oldVariable = "HERMOD_TEST_OLD"

// older is the path of the hermod that nodes begin as. Without one the test is skipped.
func older(t *testing.T) string {
	t.Helper()
	old := os.Getenv(oldVariable)
	if old == "" {
		t.Skipf("%s=/path/to/a/hermod of another version has this run; to build one: "+
			"git worktree add /tmp/older TAG && cd /tmp/older && CGO_ENABLED=0 go build -o /tmp/hermod-older ./app/hermod/cmd/hermod", oldVariable)
	}
	was, is := revision(t, old), revision(t, process.Program("hermod"))
	t.Logf("from %s to %s", was, is)
	if was == is && was != unknown && !strings.HasSuffix(was, changed) {
		t.Fatalf("%s is of the same commit as what it is to be replaced by, which proves nothing", old)
	}
	return old
}

// What is told of a program's revision: unknown with -buildvcs=false.
const (
	unknown = "an unknown commit"
	changed = " with changes"
)

// revision is the commit that a program was built from, as far as it tells.
func revision(t *testing.T, program string) string {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var commit, more string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			more = changed
		}
	}
	if commit == "" {
		return unknown
	}
	return commit + more
}

// becomeNew stops a node in an orderly way and starts the newer program in its place.
func (s *scene) becomeNew(i int) {
	s.t.Helper()
	s.nodes[i].Binary = ""
	s.nodes[i].Restart()
	s.together()
}

// eachMixed runs a test with each of the engines on two nodes, of which the first is the older program and the second the
// newer one. Both were older: the second has migrated the database while the first served.
func eachMixed(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Helper()
	old := older(t)
	for _, kind := range []string{"nats", "redis", "embedded"} {
		t.Run(kind, func(t *testing.T) {
			s := openAs(t, kind, 2, old)
			s.becomeNew(1)
			test(t, s)
		})
	}
}

// TestRollingUpgrade replaces three nodes of an older version one after another while people talk over them and services
// push. Each new one is restarted once more, so that sessions go from new nodes to old ones too. As with any restart nothing
// that was acknowledged is lost, nothing comes twice, and nobody is without a connection for long.
func TestRollingUpgrade(t *testing.T) {
	old := older(t)
	for _, kind := range []string{"nats", "redis"} {
		t.Run(kind, func(t *testing.T) { upgrade(t, kind, old) })
	}
}

func upgrade(t *testing.T, kind, old string) {
	s := openAs(t, kind, 3, old)
	c := gather(s, seedOf(t), number(t, "HERMOD_TEST_CHAOS_CLIENTS", 30))
	mixed := duration(t, "HERMOD_TEST_UPGRADE", 2*time.Second)
	c.begin(300*time.Millisecond, 50*time.Millisecond)
	c.talkOn()
	for i := range s.nodes {
		s.becomeNew(i)
		doze(t.Context(), mixed)
		c.talkOn()
		s.nodes[i].Restart()
		s.together()
		c.talkOn()
	}
	c.settle()
	c.audit()
	if away, _ := c.longest(); away > routeWithin {
		t.Errorf("somebody had no connection for %s; %s is allowed", away, routeWithin)
	}
}

// TestRoomSpansVersions: what TestRoomSpansNodes says holds for nodes of two versions.
func TestRoomSpansVersions(t *testing.T) { eachMixed(t, roomSpansNodes) }

// TestPushReachesOtherVersion: what TestPushReachesOtherNode says holds for nodes of two versions.
func TestPushReachesOtherVersion(t *testing.T) { eachMixed(t, pushReachesOtherNode) }

// TestEventsSpanVersions: what TestEventsSpanNodes says holds for nodes of two versions that both know of events.
func TestEventsSpanVersions(t *testing.T) { eachMixed(t, eventsSpanNodes) }

// TestSessionsMoveBetweenVersions: a session goes on when its client comes to a node of the other version, be it that the
// client goes there by itself or that its node stops.
func TestSessionsMoveBetweenVersions(t *testing.T) {
	eachMixed(t, func(t *testing.T, s *scene) {
		wander(t, s)
		flee(t, s)
	})
}

// wander has a guest go from node to node and back, while services push to him at both.
func wander(t *testing.T, s *scene) {
	t.Helper()
	said := newSpeeches()
	g := newGuest("guest", "room", said, []*grpc.ClientConn{s.dial(0), s.dial(1)})
	push := func(node int, id string) {
		t.Helper()
		if o, err := s.pushes(node).Push(t.Context(), upstream.OpenID("guest"), note(id), upstream.StoreOffline()); err != nil {
			t.Fatalf("%s: %+v, %v", id, o, err)
		}
	}
	var ids []string
	doors := []int{0, 1, 0, 1}
	for visit, door := range doors {
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error, 1)
		go func() { left <- g.visit(ctx, door) }()
		process.Eventually(t, patience, fmt.Sprintf("the guest is on node %d", door), func() bool { return g.comes.Load() == int64(visit+1) })
		for node := range s.nodes {
			id := fmt.Sprintf("push at node %d to a guest on %d, visit %d", node, door, visit)
			push(node, id)
			ids = append(ids, id)
		}
		process.Eventually(t, patience, fmt.Sprintf("all pushes have arrived by visit %d", visit), func() bool {
			for _, id := range ids {
				if g.saw(id) != 1 {
					return false
				}
			}
			return true
		})
		leave()
		if err := <-left; !errors.Is(err, errCut) {
			t.Fatalf("visit %d: %v", visit, err)
		}
		if visit == len(doors)-1 {
			break
		}
		id := fmt.Sprintf("push at node %d while the guest is away, after visit %d", 1-door, visit)
		push(1-door, id)
		ids = append(ids, id)
	}
	if n := g.takes.Load(); n != int64(len(doors)-1) {
		t.Errorf("the session went on %d times of %d", n, len(doors)-1)
	}
	(&crowd{s: s}).complain(said.faults)
}

// flee has the newer node stop, and then the older one, each time with somebody on it who comes to the other.
func flee(t *testing.T, s *scene) {
	t.Helper()
	alice, bob, said := pair(s) // alice is on the older node, bob on the newer one
	number := 0
	talk := func() {
		t.Helper()
		number++
		alice.say(fmt.Sprintf("alice says %d", number), patience)
		bob.say(fmt.Sprintf("bob says %d", number), patience)
		process.Eventually(t, patience, "they hear each other", func() bool { return len(alice.heard()) == number && len(bob.heard()) == number })
	}
	resumed := func(who *person, times uint64) {
		t.Helper()
		process.Eventually(t, patience, who.user+" has connected again", func() bool { return who.Stats().Reconnects == times && who.IsConnected() })
		if st := who.Stats(); st.Resumed != times {
			t.Errorf("%s's session went on %d times of %d", who.user, st.Resumed, times)
		}
	}
	talk()
	bob.SetServices(s.door(0))
	s.nodes[1].Restart()
	s.together()
	resumed(bob, 1)
	talk()
	alice.SetServices(s.door(1))
	bob.SetServices(s.door(1))
	s.nodes[0].Stop()
	resumed(alice, 1)
	resumed(bob, 2)
	talk()
	c := &crowd{s: s}
	log := c.log(1, "room")
	faults := append(auditLog(log, said.in("room")), said.faults...)
	faults = append(faults, auditEar("alice", alice.heard(), log)...)
	c.complain(append(faults, auditEar("bob", bob.heard(), log)...))
}
