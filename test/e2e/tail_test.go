package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// talk has a member say so much in a room, as fast as it is taken, and returns when all is stored. Each
// saying has the room and a number.
func talk(t *testing.T, n *Node, user string, count int, rooms ...string) {
	t.Helper()
	s := n.Connect(Hello{User: user, Capabilities: "ack"})
	for i := range count {
		for _, room := range rooms {
			s.Say(room, fmt.Sprintf("%s %s %d %d", user, room, i, time.Now().UnixNano()), fmt.Sprint(i))
		}
	}
	acknowledged(t, s, count*len(rooms))
	s.End()
}

const unhurried = "session: {sends_per_second: 1000000, send_burst: 1000000}\n"

// TestTailFollowsARoom: from any message on, pages of history and then what is said, each message once and
// in its place, while others write.
func TestTailFollowsARoom(t *testing.T) {
	t.Parallel()
	n := Start(t, unhurried)
	join(t, n.Calls(), "lobby", "alice", "bob")
	talk(t, n, "alice", 1200, "lobby")
	behind, all, last := n.tail("room", "lobby", "--after", "5"), n.tail("room", "lobby", "--after", "0"), n.tail("room", "lobby")
	alice, bob := n.Connect(Hello{User: "alice", Capabilities: "ack"}), n.Connect(Hello{User: "bob", Capabilities: "ack"})
	for i := range 400 {
		alice.Say("lobby", fmt.Sprint("a", i), "by alice")
		bob.Say("lobby", fmt.Sprint("b", i), "by bob")
	}
	acknowledged(t, alice, 400)
	acknowledged(t, bob, 400)
	for r, first := range map[*tailer]int64{behind: 6, all: 1} {
		r.awaits(int(2001 - first))
		contiguous(t, r.interrupt(), "lobby", first, 2000)
		r.silent()
	}
	eventually(t, "the last one is shown", func() bool {
		lines := last.shown()
		return len(lines) > 0 && lines[len(lines)-1].Seq == 2000
	})
	lines := last.interrupt()
	if len(lines) < 10 || lines[0].Seq < 1191 {
		t.Errorf("%d lines from %v on", len(lines), lines[:1])
	}
	contiguous(t, lines, "lobby", lines[0].Seq, 2000)

	for args, want := range map[string][2]int64{
		"--until-head":                    {1991, 2000},
		"--until-head --last 3":           {1998, 2000},
		"--after 1999 --until-head":       {2000, 2000},
		"--after 2000 --until-head":       {2001, 2000},
		"--after 0 --limit 700":           {1, 700},
		"--last 5 --limit 2":              {1996, 1997},
		"--after 0 --until-head --as bob": {1, 2000},
	} {
		r := n.tail(append([]string{"room", "lobby"}, strings.Fields(args)...)...)
		contiguous(t, r.ends(0), "lobby", want[0], want[1])
		r.silent()
	}
}

// TestTailDisturbsNobody: whoever is looked at is not online, is a member of nothing more than before, and
// gets all that he would have got.
func TestTailDisturbsNobody(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice", "bob")
	say(t, im, "lobby", "alice", "1", "2", "3")
	room, user := n.tail("room", "lobby", "--after", "0"), n.tail("user", "bob", "--after", "0")
	as := n.tail("room", "lobby", "--after", "0", "--as", "bob")
	tails := []*tailer{room, user, as}
	for _, r := range tails {
		r.awaits(3)
	}
	if got := n.Metric("hermod_sessions"); got != 0 {
		t.Errorf("%v sessions", got)
	}
	if output, err := hermodctl(t, "push", "--addr", n.Gateway, "--openid", "bob", "--content", "anybody?"); err == nil || !strings.Contains(output, "TARGET_OFFLINE") {
		t.Errorf("bob is online: %v\n%s", err, output)
	}
	if got := len(info(t, im, "lobby", "alice").GetUsers()); got != 2 {
		t.Errorf("%d members", got)
	}
	say(t, im, "lobby", "alice", "4")
	for _, r := range tails {
		r.awaits(4)
		contiguous(t, r.interrupt(), "lobby", 1, 4)
		r.silent()
	}
	expect(t, "bob's messages", contents(n.Connect(Hello{User: "bob"}), 4), "1", "2", "3", "4")
}

// TestTailOverACrash: the node is killed and comes back, twice; what is shown has neither hole nor
// repetition, and it was told that nothing could be seen meanwhile.
func TestTailOverACrash(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	join(t, n.Calls(), "lobby", "alice")
	room, user := n.tail("room", "lobby", "--after", "0"), n.tail("user", "alice", "--after", "0")
	seq := 0
	for round := range 3 {
		talk(t, n, "alice", 20, "lobby")
		seq += 20
		room.awaits(seq)
		user.awaits(seq)
		if round == 2 {
			break
		}
		n.Kill()
		for _, r := range []*tailer{room, user} {
			eventually(t, "it is told", func() bool { return strings.Count(r.notes(), "no answer") > round })
		}
		n.Boot()
	}
	for _, r := range []*tailer{room, user} {
		contiguous(t, r.interrupt(), "lobby", 1, 60)
		if got := strings.Count(r.notes(), "answers again"); got < 2 {
			t.Errorf("it says %s", r.notes())
		}
	}
}

// TestTailOfARestoredStore: a store that has lost its end is told of, and what is said from then on is shown.
func TestTailOfARestoredStore(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	join(t, n.Calls(), "lobby", "alice")
	talk(t, n, "alice", 10, "lobby")
	file := filepath.Join(t.TempDir(), "backup.tar")
	if said, err := hermodctl(t, "backup", "--conf", n.dataConf(t), file); err != nil {
		t.Fatalf("backup: %v\n%s", err, said)
	}
	talk(t, n, "alice", 20, "lobby")
	room, user := n.tail("room", "lobby", "--after", "0"), n.tail("user", "alice", "--after", "0")
	room.awaits(30)
	user.awaits(30)
	n.Stop()
	if said, err := hermodctl(t, "restore", "--conf", n.dataConf(t), file); err != nil {
		t.Fatalf("restore: %v\n%s", err, said)
	}
	n.Boot()
	for _, r := range []*tailer{room, user} {
		eventually(t, "it is told", func() bool { return strings.Contains(r.notes(), "the store has gone back; going on behind 10") })
	}
	talk(t, n, "alice", 5, "lobby")
	for _, r := range []*tailer{room, user} {
		r.awaits(35)
		lines := r.interrupt()
		contiguous(t, lines[:30], "lobby", 1, 30)
		contiguous(t, lines[30:], "lobby", 11, 15)
	}
}

// TestTailOfAUser: all his rooms, merged by time; those that he joins are followed, and those that he leaves
// no more.
func TestTailOfAUser(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice", "bob")
	join(t, im, "kitchen", "alice", "bob")
	join(t, im, "empty", "alice")
	join(t, im, "garden", "bob")
	join(t, im, "cellar", "bob")
	var order []string
	bob := func(room string) {
		order = append(order, fmt.Sprint(room, " ", say(t, im, room, "bob", room).GetSeq(), " ", room))
	}
	for _, room := range []string{"lobby", "lobby", "kitchen", "lobby", "kitchen", "lobby", "kitchen"} {
		bob(room)
	}
	say(t, im, "garden", "bob", "alone")
	for args, want := range map[string][]string{
		"--after 0":                         order,
		"--after 2":                         {order[3], order[5], order[6]},
		"--last 3":                          order[4:],
		"--last 0":                          nil,
		"--last 500":                        order,
		"--after 0 --limit 4":               order[:4],
		"--after lobby=2 --after kitchen=2": {order[3], order[5], order[6]},
		"--after lobby=4":                   {order[2], order[4], order[6]},
		"--after kitchen=3 --after 2":       {order[3], order[5]},
	} {
		r := n.tail(append([]string{"user", "alice", "--until-head"}, strings.Fields(args)...)...)
		if got := fmt.Sprint(r.ends(0)); got != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", args, got, want)
		}
		r.silent()
	}
	for room, words := range map[string]string{
		"garden=1":  "alice is not in room garden",
		"kitchen=4": "the last message of room kitchen is 3; there is nothing behind 4",
	} {
		r := n.tail("user", "alice", "--after", room)
		if got := r.ends(1); len(got) > 0 || !strings.Contains(r.notes(), words) {
			t.Errorf("%s: got %v, %s", room, got, r.notes())
		}
	}

	r := n.tail("user", "alice", "--after", "0")
	r.awaits(7)
	join(t, im, "garden", "alice")
	for _, room := range []string{"lobby", "garden", "kitchen", "garden"} {
		bob(room)
		r.awaits(len(order))
	}
	if _, err := im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: "alice", RoomId: "kitchen"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told", func() bool { return strings.Contains(r.notes(), "alice is not in room kitchen any more") })
	say(t, im, "kitchen", "bob", "unheard")
	bob("lobby")
	r.awaits(len(order))
	if got := fmt.Sprint(r.interrupt()); got != fmt.Sprint(order) {
		t.Errorf("got %v, want %v", got, order)
	}
	if want := "alice is in room garden now\nalice is not in room kitchen any more\n"; r.notes() != want {
		t.Errorf("it says %q", r.notes())
	}
	nobody := n.tail("user", "nobody", "--until-head")
	nobody.ends(0)
	if nobody.notes() != "nobody is in no room\n" {
		t.Errorf("it says %q", nobody.notes())
	}
}

// TestTailTellsWhatIsMissing: what was said before somebody joined is not his to see, and where that lies
// behind the message to go on from, it is told.
func TestTailTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "lobby", "alice")
	talk(t, n, "alice", 10, "lobby")
	join(t, im, "lobby", "bob")
	talk(t, n, "alice", 5, "lobby")
	join(t, im, "lobby", "carol")
	for _, tt := range []struct {
		args  string
		first int64
		says  string
	}{
		{"room lobby --as bob --after 3", 11, "room lobby: messages 4 to 10 are not kept, or not to be seen\n"},
		{"user bob --after lobby=3", 11, "room lobby: messages 4 to 10 are not kept, or not to be seen\n"},
		{"room lobby --as carol --after 3", 16, "room lobby: messages 4 to 15 are not kept, or not to be seen\n"},
		{"user carol --after 3", 16, "room lobby: messages 4 to 15 are not kept, or not to be seen\n"},
		{"user bob --after 0", 11, ""},
		{"room lobby --as carol --after 0", 16, ""},
	} {
		r := n.tail(append(strings.Fields(tt.args), "--until-head")...)
		contiguous(t, r.ends(0), "lobby", tt.first, 15)
		if r.notes() != tt.says {
			t.Errorf("%s: it says %q", tt.args, r.notes())
		}
	}
	r := n.tail("user", "bob", "--after", "lobby=12")
	r.awaits(3)
	if _, err := im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: "bob", RoomId: "lobby"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is told", func() bool { return strings.Contains(r.notes(), "bob is not in room lobby any more") })
	talk(t, n, "alice", 3, "lobby")
	join(t, im, "lobby", "bob")
	talk(t, n, "alice", 2, "lobby")
	r.awaits(5)
	lines := r.interrupt()
	contiguous(t, lines[:3], "lobby", 13, 15)
	contiguous(t, lines[3:], "lobby", 19, 20)
}

// TestTailFarBehind: a tail that stands still while more is said than one look brings catches up, in the
// order in which it was said.
func TestTailFarBehind(t *testing.T) {
	t.Parallel()
	n := Start(t, unhurried)
	rooms := []string{"a", "b", "c"}
	for _, room := range rooms {
		join(t, n.Calls(), room, "alice", "bob")
	}
	talk(t, n, "bob", 3, rooms...)
	r := n.tail("user", "alice", "--after", "0")
	r.awaits(9)
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	talk(t, n, "bob", 2000, rooms...)
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.awaits(6009)
	talk(t, n, "bob", 1, rooms...)
	r.awaits(6012)
	lines := r.interrupt()
	for _, room := range rooms {
		contiguous(t, lines, room, 1, 2004)
	}
	turns := slices.Clone(lines[9:6009]) // they were said in turn, and the clock tells most of them apart
	longest, run := 0, 0
	for i := 1; i < len(turns); i++ {
		if run++; turns[i].Room != turns[i-1].Room {
			run = 0
		}
		longest = max(longest, run)
	}
	if longest > 300 {
		t.Errorf("%d of one room on end: they are not merged", longest)
	}
}

// TestTailAccess: a service sees everything, a user what is his, and everybody else nothing; what fails is
// said in words, with exit code 1.
func TestTailAccess(t *testing.T) {
	t.Parallel()
	n := Start(t, jwtMode)
	bare := func(authorization string) string { return strings.TrimPrefix(authorization, "Bearer ") }
	service := bare(token(t, secret, "desk", time.Hour, "roles", []string{"service"}))
	alice, bob := bare(token(t, secret, "alice", time.Hour)), bare(token(t, secret, "bob", time.Hour))
	as := func(tok string) []string { return []string{"--token", tok, "--after", "0", "--until-head"} }
	for _, user := range []string{"alice", "bob"} {
		s := n.Connect(Hello{User: user, Authorization: "Bearer " + map[string]string{"alice": alice, "bob": bob}[user], Capabilities: "ack", Room: "lobby"})
		s.Say("lobby", "m", user)
		acknowledged(t, s, 1)
		s.End()
	}
	for _, tt := range []struct {
		args  []string
		token string
		lines int
		says  string // with exit code 1
	}{
		{[]string{"room", "lobby"}, service, 2, ""},
		{[]string{"room", "lobby", "--as", "bob"}, service, 1, ""},
		{[]string{"user", "bob"}, service, 1, ""},
		{[]string{"room", "lobby"}, alice, 2, ""},
		{[]string{"user", "alice"}, alice, 2, ""},
		{[]string{"user", "bob"}, alice, 0, "FOREIGN_USER"},
		{[]string{"room", "lobby", "--as", "bob"}, alice, 0, "FOREIGN_USER"},
		{[]string{"room", "lobby"}, bare(token(t, secret, "eve", time.Hour)), 0, "NOT_A_MEMBER"},
		{[]string{"room", "lobby"}, "", 0, "give --token"},
		{[]string{"room", "nowhere"}, service, 0, "ROOM_NOT_FOUND"},
	} {
		r := n.tail(append(tt.args, as(tt.token)...)...)
		code := 0
		if tt.says != "" {
			code = 1
		}
		if got := r.ends(code); len(got) != tt.lines || !strings.Contains(r.notes(), tt.says) {
			t.Errorf("%v: got %v, %s", tt.args, got, r.notes())
		}
	}
	gap := n.tail("room", "lobby", "--as", "bob", "--token", service, "--after", "0", "--limit", "1")
	contiguous(t, gap.ends(0), "lobby", 2, 2)

	r := n.tail("room", "lobby", "--token", service, "--after", "3")
	if r.ends(1); !strings.Contains(r.notes(), "the last message of room lobby is 2; there is nothing behind 3") {
		t.Errorf("behind the head: %s", r.notes())
	}
	n.Stop()
	r = n.tail("room", "lobby")
	if r.ends(1); !strings.Contains(r.notes(), "no node answers at "+n.IM) {
		t.Errorf("without a node: %s", r.notes())
	}
}
