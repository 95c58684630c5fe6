package biz_test

import (
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// textFields are all texts of clients that reach the store, with the reason for which an empty one
// is refused, if it is.
var textFields = map[string]struct {
	empty string
	try   func(t testing.TB, text string) error
}{
	"room_id of a join": {"INVALID_ARGUMENT", func(t testing.TB, s string) error {
		_, err := newRooms(newStore(), &live{}, openRules).Join(t.Context(), alice, biz.JoinRequest{Room: biz.RoomID(s)})
		return err
	}},
	"nickname": {"", func(t testing.TB, s string) error {
		_, err := newRooms(newStore(), &live{}, openRules).Join(t.Context(), alice, biz.JoinRequest{Room: "r", Nickname: s})
		return err
	}},
	"user_id": {"", func(_ testing.TB, s string) error { // the backend's own when empty
		_, err := backend.ActAs(biz.UserID(s))
		return err
	}},
	"message_id": {"", func(t testing.TB, s string) error {
		return newScene().send(t, alice, biz.Message{Room: "r", ClientID: s, Type: biz.TypeText}).err
	}},
	"room_id of a leave": {"INVALID_ARGUMENT", func(t testing.TB, s string) error {
		return newRooms(newStore(), &live{}, openRules).Leave(t.Context(), alice, biz.RoomID(s), "")
	}},
	"target_id of a push": {"INVALID_TARGET", func(t testing.TB, s string) error {
		p := newPushScene().pushes.Push(t.Context(), biz.Target{Type: "openid", ID: s}, &biz.Push{}, orStore)
		return asError(p.Err)
	}},
}

// asError keeps a nil *biz.Error from becoming an error.
func asError(err *biz.Error) error {
	if err == nil {
		return nil
	}
	return err
}

func TestTextLimits(t *testing.T) {
	t.Parallel()
	for field, f := range textFields {
		invalid := "INVALID_ARGUMENT"
		if f.empty != "" {
			invalid = f.empty
		}
		for name, test := range map[string]struct{ text, reason string }{
			"empty":                 {"", f.empty},
			"one byte":              {"x", ""},
			"255 bytes":             {strings.Repeat("x", 255), ""},
			"256 bytes":             {strings.Repeat("x", 256), invalid},
			"255 bytes in 128 rune": {strings.Repeat("ä", 127) + "x", ""},
			"256 bytes in 128 rune": {strings.Repeat("ä", 128), invalid},
			"NUL":                   {"a\x00b", invalid},
			"NUL alone":             {"\x00", invalid},
			"invalid UTF-8":         {"a\xffb", invalid},
			"half a rune":           {"a\xc3", invalid},
			"a surrogate":           {"\xed\xa0\x80", invalid},
			"control characters":    {"a\n\t\x7f", ""},
			"blanks":                {"   ", ""},
			"beyond the BMP":        {"😀", ""},
		} {
			t.Run(field+"/"+name, func(t *testing.T) {
				t.Parallel()
				wantError(t, f.try(t, test.text), biz.KindInvalid, test.reason)
			})
		}
	}
}

// TestRefusalsAreShort sends texts as large as a message may be: what the client is told of them
// goes into an ACK and into a gRPC status, where repeating them would make one large request a
// larger answer.
func TestRefusalsAreShort(t *testing.T) {
	t.Parallel()
	const most = 4 << 10
	huge := strings.Repeat("\x01", 256<<10)
	s := newScene()
	for name, try := range map[string]func() error{
		"foreign user_id": func() error { _, err := alice.ActAs(biz.UserID(huge)); return err },
		"room_id":         func() error { return s.send(t, alice, biz.Message{Room: biz.RoomID(huge), Type: biz.TypeText}).err },
		"role": func() error {
			_, err := newRooms(newStore(), &live{}, openRules).Join(t.Context(), alice, biz.JoinRequest{Room: "r", Role: huge})
			return err
		},
		"metadata value": func() error {
			return s.send(t, alice, biz.Message{Room: "r", Type: biz.TypeText, Metadata: map[string]string{"k": huge + "\xff"}}).err
		},
		"metadata key": func() error {
			return s.send(t, alice, biz.Message{Room: "r", Type: biz.TypeText, Metadata: map[string]string{huge: "\x00"}}).err
		},
		"target_type": func() error { return asError(newPushScene().push(t, huge, "x").Err) },
		"target_id":   func() error { return asError(newPushScene().push(t, "gid", huge).Err) },
	} {
		t.Run(name, func(t *testing.T) {
			err := try()
			if err == nil {
				t.Fatal("accepted")
			}
			if n := len(biz.AsError(err).Text); n > most {
				t.Errorf("a text of %d bytes about an input of %d", n, len(huge))
			}
		})
	}
}

func FuzzIDs(f *testing.F) {
	for _, s := range []string{"", "x", "\x00", "\xff", strings.Repeat("ä", 128)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for field, f := range textFields {
			err := f.try(t, s)
			ok := len(s) <= biz.MaxIDBytes && !strings.ContainsRune(s, 0) && strings.ToValidUTF8(s, "") == s
			if s == "" {
				ok = f.empty == ""
			}
			if ok != (err == nil) {
				t.Errorf("%s %q: %v", field, s, err)
			}
		}
	})
}
