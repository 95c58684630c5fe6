package biz_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestTheDocumentedPolicy: the table of docs/rooms.md says of every action what May does.
func TestTheDocumentedPolicy(t *testing.T) {
	t.Parallel()
	documented := policyOnPage(t)
	for do := biz.Action(0); do.String() != "do that"; do++ {
		row, ok := documented[do.String()]
		if !ok {
			t.Errorf("the page has nothing about %q", do)
			continue
		}
		delete(documented, do.String())
		want := []string{
			allowed(do, biz.RoleUser), allowed(do, biz.RoleModerator), allowed(do, biz.RoleAdmin), allowedDirectly(do),
		}
		if got := strings.Join(row, ", "); got != strings.Join(want, ", ") {
			t.Errorf("of %q the page says %q; it is %q", do, got, strings.Join(want, ", "))
		}
	}
	for action := range documented {
		t.Errorf("the page has %q, which is no action", action)
	}
}

// policyOnPage returns the cells of the table by the action that they are about.
func policyOnPage(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "rooms.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| action | user | moderator | admin | in a direct room |\n|---|---|---|---|---|\n")
	if !found {
		t.Fatal("the page has no table of roles and actions")
	}
	rows := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 {
			break
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[cells[0]] = cells[1:]
	}
	return rows
}

// allowed says what the page is to say of a role in a room.
func allowed(do biz.Action, role biz.Role) string {
	room, me := &biz.Room{ID: "lobby"}, &biz.Member{User: "alice", Role: role}
	alice, peer := biz.Actor{User: "alice"}, &biz.Member{User: "bob", Role: role}
	switch {
	case biz.May(alice, do, room, me, nil) != nil:
		return "no"
	case biz.May(alice, do, room, me, peer) != nil:
		return "of lower roles"
	}
	return "yes"
}

// allowedDirectly says what it is to say of direct rooms, in which both are users.
func allowedDirectly(do biz.Action) string {
	me := &biz.Member{User: "alice", Role: biz.RoleUser}
	if biz.May(biz.Actor{User: "alice"}, do, &biz.Room{Kind: biz.KindDirect}, me, nil) != nil {
		return "no"
	}
	return "yes"
}
