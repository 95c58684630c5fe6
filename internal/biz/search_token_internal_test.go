package biz

import (
	"math"
	"strings"
	"testing"
)

func TestSearchTokens(t *testing.T) {
	t.Parallel()
	req := SearchRequest{Query: "x", Rooms: []RoomID{"a", "b"}}
	for _, p := range []SearchPlace{{At: 1}, {At: math.MaxInt64, Room: "r", Seq: math.MaxInt64}, {At: -5, Room: RoomID(strings.Repeat("x", MaxIDBytes)), Seq: 3}} {
		token := p.token("u", req)
		if got, err := readSearchToken(token, "u", req); err != nil || got != p {
			t.Errorf("%+v became %+v, %v", p, got, err)
		}
		same := SearchRequest{Query: "x", Rooms: []RoomID{"b", "a"}, Limit: 7}
		if _, err := readSearchToken(token, "u", same); err != nil {
			t.Errorf("in another order: %v", err)
		}
		for i := range token {
			b := []byte(token)
			b[i] ^= 1
			if got, err := readSearchToken(string(b), "u", req); err == nil {
				t.Fatalf("changed at %d it is %+v", i, got)
			}
		}
	}
	if _, err := readToken(SearchPlace{At: 1}.token("u", req), "u"); err == nil {
		t.Error("it is good for Sync")
	}
	if _, err := readSearchToken(place{room: "r"}.token("u"), "u", req); err == nil {
		t.Error("one of Sync is good for Search")
	}
}

// FuzzSearchToken: what is no token is refused, and what is one is as it was given out.
func FuzzSearchToken(f *testing.F) {
	req := SearchRequest{Query: "x"}
	f.Add(SearchPlace{At: 77, Room: "room", Seq: 9}.token("u", req))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := readSearchToken(token, "u", req)
		if err != nil {
			if AsError(err).Reason != "INVALID_PAGE_TOKEN" {
				t.Errorf("refused with %v", err)
			}
			return
		}
		if token != "" && (p.At == 0 || p.Seq < 0) {
			t.Errorf("%q is %+v", token, p)
		}
	})
}
