package hermodctl

import (
	"strings"
	"testing"
	"time"
)

func TestReplayFrom(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ from, room, want string }{
		{"dead", "", `dead_letters:true`},
		{"dead", "r", `room_id:"r" dead_letters:true`},
		{"a:b:7", "", `room_id:"a:b" from_seq:7`},
		{"90m", "", `from_time:{seconds:1709202600}`},
		{"2024-02-29T10:30:00Z", "", `from_time:{seconds:1709202600}`},
	} {
		got, err := replayFrom(c.from, c.room, now)
		if err != nil {
			t.Errorf("%s: %v", c.from, err)
			continue
		}
		if text := strings.Join(strings.Fields(got.String()), " "); text != c.want {
			t.Errorf("%s: %s, want %s", c.from, text, c.want)
		}
	}
	for _, wrong := range [][2]string{{"", ""}, {"r:0", ""}, {"r:x", ""}, {":3", ""}, {"-5m", ""}, {"yesterday", ""}, {"r:3", "r"}} {
		if got, err := replayFrom(wrong[0], wrong[1], now); err == nil {
			t.Errorf("%v: %v", wrong, got)
		}
	}
}
