package biz

import (
	"strings"
	"testing"
)

func TestTokensKeepTheirPlace(t *testing.T) {
	t.Parallel()
	for _, p := range []place{
		{}, {room: "r"}, {counting: true}, {counting: true, room: "r"}, {room: "r", seq: 5, bound: 9},
		{room: RoomID(strings.Repeat("ü", MaxIDBytes/2)), seq: 1<<63 - 2, bound: 1<<63 - 1},
	} {
		got, err := readToken(p.token("u"), "u")
		if err != nil || got != p {
			t.Errorf("%+v became %+v, %v", p, got, err)
		}
	}
}

// FuzzPageToken: whatever a client sends is a place that can be gone on from, or is refused.
func FuzzPageToken(f *testing.F) {
	for _, p := range []place{{room: "r", seq: 5, bound: 9}, {counting: true, room: "r"}, {}} {
		f.Add(p.token("u"))
	}
	f.Add("")
	f.Add("AQ")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := readToken(token, "u")
		switch {
		case err != nil:
			if AsError(err).Reason != "INVALID_PAGE_TOKEN" || p != (place{}) {
				t.Errorf("%+v, %v", p, err)
			}
		case token == "":
		case p.seq < 0 || p.bound < 0 || checkOptionalID("room", string(p.room)) != nil:
			t.Errorf("accepted %+v", p)
		}
	})
}

// FuzzPlace is FuzzPageToken behind the sum, which hardly anything gets past by chance.
func FuzzPlace(f *testing.F) {
	f.Add([]byte{0, 5, 9, 'r'})
	f.Add([]byte{1, 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		p, err := readPlace(b)
		if err != nil {
			return
		}
		if again, err := readToken(p.token("u"), "u"); err != nil || again != p {
			t.Errorf("%+v became %+v, %v", p, again, err)
		}
	})
}
