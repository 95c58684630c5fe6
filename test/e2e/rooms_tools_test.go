package e2e

import (
	"strings"
	"testing"
)

// TestChangesInTheChat: what one does to messages, the others see, and who comes later sees what has become of it.
func TestChangesInTheChat(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := chat(t, n, "alice", "--nick", "Al")
	alice.sees("room lobby")
	bob := chat(t, n, "bob")
	bob.sees("room lobby")
	alice.sees("bob")
	alice.types("lunch at one? @bob")
	bob.sees("] @you Al: lunch at one? @bob")
	bob.types("/react . yes")
	alice.sees("* bob reacted to [1]: yes")
	bob.types("/reply . make it two")
	alice.sees(`bob: (to [1] Al (you): "lunch at one? @bob") make it two`)
	alice.types("/edit . lunch at two")
	bob.sees("* Al edited [1]: lunch at two")
	bob.types("never mind")
	alice.sees("bob: never mind")
	bob.types("/recall . wrong room")
	alice.sees("back: wrong room")
	bob.types("/edit 1 not mine")
	bob.sees("(NOT_YOUR_MESSAGE)")
	bob.types("/to alice psst")
	alice.sees("bob: psst")

	carol := chat(t, n, "carol")
	carol.sees("room lobby")
	carol.types("/history")
	carol.sees("-- nothing was said before") // to a member who has just come
	again := chat(t, n, "bob", "--device", "another")
	again.sees("room lobby")
	again.types("/history 20")
	again.sees("Al: lunch at two (edited, yes 1)")
	again.sees("bob (you): (taken back)")
	for _, c := range []*talker{alice, carol, again} {
		c.leaves()
	}
	if strings.Contains(alice.lines()+again.lines(), "\x1b") {
		t.Error("colours in a pipe")
	}
}

// TestRoomsFromTheCommandLine: what hermodctl room changes, it shows, and a chat is told.
func TestRoomsFromTheCommandLine(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	room := func(want string, args ...string) {
		t.Helper()
		out, err := hermodctl(t, append(append([]string{"room"}, args...), "--addr", n.IM)...)
		if err != nil || !strings.Contains(out, want) {
			t.Errorf("room %q: %v\n%s\nwant %q", args, err, out, want)
		}
	}
	fails := func(want string, args ...string) {
		t.Helper()
		out, err := hermodctl(t, append(append([]string{"room"}, args...), "--addr", n.IM)...)
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("room %q: %v\n%s\nwant %q", args, err, out, want)
		}
	}
	room(`"name":"The lobby"`, "create", "lobby", "--as", "alice", "--name", "The lobby", "--max-users", "9", "--json")
	fails("(ROOM_EXISTS)", "create", "lobby", "--as", "bob")
	bob := chat(t, n, "bob", "--follow")
	bob.sees("room lobby")
	room("2 of 9", "show", "lobby")
	room(`"invite_only":true`, "update", "lobby", "--invite-only", "--json")
	bob.sees(`* a service changed the room "The lobby"`)
	room("moderator", "role", "lobby", "bob", "moderator", "--as", "alice")
	bob.sees("* alice made bob (you) a moderator")
	fails("(ROLE_TOO_LOW)", "role", "lobby", "alice", "user", "--as", "bob")
	room("until", "mute", "lobby", "bob", "--for", "10m", "--reason", "calm down")
	bob.sees("* a service muted bob (you) until ")
	bob.types("may I?")
	bob.sees("(MUTED)")
	room("no", "unmute", "lobby", "bob")
	room(`"user_id":"bob"`, "members", "lobby", "--json")
	room("carol is invited", "invite", "lobby", "carol", "--as", "bob")
	room("invited", "list", "carol")
	room("eve is kept out", "ban", "lobby", "eve", "--reason", "spam")
	room("spam", "bans", "lobby")
	room("eve may join", "unban", "lobby", "eve")
	room("bob is no member", "kick", "lobby", "bob")
	bob.sees("* a service put bob (you) out")
	bob.types("hello?")
	bob.sees("you are in no room")
	room("lobby is deleted", "delete", "lobby", "--yes", "--as", "alice")
	fails("ROOM_NOT_FOUND", "show", "lobby")
	if err := bob.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-bob.done
	_ = bob.cmd.Wait() // it was killed
}
