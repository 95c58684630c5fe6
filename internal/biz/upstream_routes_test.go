package biz_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

func static(name string) biz.ServiceRules {
	return biz.ServiceRules{Name: name, Addresses: []string{name + ":1"}}
}

// TestTheFirstRouteThatMatchesDecides: by the beginning of the action, by zone of openid and session, by
// header.
func TestTheFirstRouteThatMatchesDecides(t *testing.T) {
	t.Parallel()
	rules := upstreamRules()
	rules.Services = []biz.ServiceRules{static("shop"), static("east"), static("ios"), static("west"), static("rest")}
	rules.Routes = []biz.Route{
		{Action: "shop.", Service: "shop"},
		{Action: "fight", Zones: []string{"001", "002"}, Service: "east"},
		{Header: "channel", Value: "ios", Service: "ios"},
		{Header: "zone", Value: "west", Service: "west"},
		{Action: "gone", Service: "nobody"},
		{Action: "rest", Service: "rest"},
	}
	s := newUpstreamScene(t, rules)
	for name, test := range map[string]struct {
		user, zone, action string
		headers            map[string]string
		want               string
	}{
		"action":                          {"10000", "", "shop.buy", nil, "shop:1"},
		"actions are told apart by case":  {"10000", "", "Shop.buy", nil, "no service"},
		"the first wins":                  {"10000", "", "shop.fight", map[string]string{"channel": "ios"}, "shop:1"},
		"zone of the openid":              {"24999", "", "fight", nil, "east:1"},
		"another zone of the openid":      {"39999", "", "fight", nil, "east:1"},
		"not the zone of the openid":      {"40000", "", "fight", nil, "no service"},
		"the action alone is not enough":  {"alice", "", "fight", nil, "no service"},
		"zone of the session":             {"alice", "002", "fight", nil, "east:1"},
		"zone of the session, too":        {"40000", "001", "fight", nil, "east:1"},
		"header":                          {"alice", "", "anything", map[string]string{"channel": "ios"}, "ios:1"},
		"header with another value":       {"alice", "", "anything", map[string]string{"channel": "web"}, "no service"},
		"the session's zone as a header":  {"alice", "west", "anything", nil, "west:1"},
		"a client cannot say its zone":    {"alice", "", "anything", map[string]string{"zone": "west", "Zone": "west"}, "no service"},
		"a service without instances":     {"alice", "", "gone", nil, "UPSTREAM_UNAVAILABLE"},
		"the last":                        {"alice", "", "restful", nil, "rest:1"},
		"no route, and nobody registered": {"alice", "", "hello", nil, "welcome, alice"},
	} {
		got := s.asks(t.Context(), &biz.UpstreamRequest{
			Identity: biz.Identity{User: biz.UserID(test.user)}, Zone: test.zone, Action: test.action, Headers: test.headers,
		})
		if got != test.want && (test.want != "no service" || len(got) < 10 || got[:10] != "no service") {
			t.Errorf("%s: %q answered, want %q", name, got, test.want)
		}
	}
}

// TestWithoutRoutes: a registered service goes before the built-in one, that of the openid's zone before
// that of the session's, before one for all, before any.
func TestWithoutRoutes(t *testing.T) {
	t.Parallel()
	s := newUpstreamScene(t, upstreamRules())
	from := func(user, zone string) string {
		return s.asks(t.Context(), &biz.UpstreamRequest{Identity: biz.Identity{User: biz.UserID(user)}, Zone: zone, Action: "hello"})
	}
	want := func(user, zone, want string) {
		t.Helper()
		if got := from(user, zone); got != want {
			t.Errorf("user %s of zone %q: %q answered, want %q", user, zone, got, want)
		}
	}
	want("10001", "", "welcome, 10001")
	s.register("", "003", "c:1", 0)
	want("10001", "", "c:1") // any
	s.register("lobby", "", "all:1", 0)
	want("10001", "", "all:1")
	s.register("", "001", "a:1", 0)
	want("10001", "", "a:1")
	want("10001", "003", "a:1")
	want("alice", "003", "c:1")
	want("25000", "003", "c:1")
	want("25000", "", "all:1")
	s.Deregister("", "a:1")
	want("10001", "", "all:1")
	s.Deregister("lobby", "all:1")
	s.Deregister("", "c:1")
	want("10001", "", "welcome, 10001")
}

// TestStandardZones are the documented ranges.
func TestStandardZones(t *testing.T) {
	t.Parallel()
	want := []biz.Zone{
		{"001", 10000, 24999}, {"002", 25000, 39999}, {"003", 40000, 54999}, {"004", 55000, 69999}, {"005", 70000, 84999}, {"006", 85000, 99999},
	}
	if got := biz.StandardZones(); !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestClientsCannotSayGIDAndZone: in no spelling.
func TestClientsCannotSayGIDAndZone(t *testing.T) {
	t.Parallel()
	s := newUpstreamScene(t, upstreamRules())
	s.register("lobby", "", "lobby:1", 0)
	said := map[string]string{"gid": "1", "GID": "2", "zone": "001", "Zone": "002", "other": "x"}
	s.asks(t.Context(), &biz.UpstreamRequest{Identity: biz.Identity{User: "alice", GID: 7}, Headers: said})
	if want := map[string]string{"gid": "7", "other": "x"}; !maps.Equal(s.instances.last.Headers, want) {
		t.Errorf("the service got %v", s.instances.last.Headers)
	}
	s.asks(t.Context(), &biz.UpstreamRequest{Identity: biz.Identity{User: "alice"}, Zone: "004", Headers: said})
	if want := map[string]string{"zone": "004", "other": "x"}; !maps.Equal(s.instances.last.Headers, want) {
		t.Errorf("the service got %v", s.instances.last.Headers)
	}
	if len(said) != 5 {
		t.Errorf("the client's own headers were changed: %v", said)
	}
}

// TestHashMovesFewClients: when an instance comes, only its own clients move, and they are about as many
// as its share; when it goes, they come back to where they were.
func TestHashMovesFewClients(t *testing.T) {
	t.Parallel()
	rules := upstreamRules()
	rules.Services = []biz.ServiceRules{{Name: "game", ByHash: true}}
	rules.Routes = []biz.Route{{Service: "game"}}
	s := newUpstreamScene(t, rules)
	const users = 2000
	where := func() (at []string) {
		for i := range users {
			at = append(at, s.ask(fmt.Sprint(10000+i), "x"))
		}
		return at
	}
	for i := range 4 {
		s.register("game", "", fmt.Sprintf("10.0.0.%d:9000", i), 0)
	}
	before := where()
	share := map[string]int{}
	for _, at := range before {
		share[at]++
	}
	for at, n := range share {
		if n < users/4*8/10 || n > users/4*12/10 {
			t.Errorf("%s has %d of %d clients", at, n, users)
		}
	}
	if again := where(); !slices.Equal(again, before) {
		t.Error("clients move although nothing has changed")
	}
	s.register("game", "", "10.0.0.9:9000", 0)
	moved := 0
	for i, at := range where() {
		if at != before[i] {
			moved++
			if at != "10.0.0.9:9000" {
				t.Fatalf("a client moved from %s to %s", before[i], at)
			}
		}
	}
	if moved < users/5*8/10 || moved > users/5*12/10 {
		t.Errorf("%d of %d clients moved to one instance of five", moved, users)
	}
	s.Deregister("game", "10.0.0.9:9000")
	if again := where(); !slices.Equal(again, before) {
		t.Error("clients did not come back")
	}
}
