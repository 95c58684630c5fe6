package biz_test

import (
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func TestHorizon(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const head = 10
	for name, test := range map[string]struct {
		keep biz.Retention
		ttl  time.Duration
		want biz.Horizon
	}{
		"nothing is set":                  {},
		"the room's own":                  {ttl: time.Hour, want: biz.Horizon{Before: ago(time.Hour)}},
		"the node's":                      {keep: biz.Retention{MaxAge: time.Hour}, want: biz.Horizon{Before: ago(time.Hour)}},
		"the shorter of both, the room's": {keep: biz.Retention{MaxAge: time.Hour}, ttl: time.Minute, want: biz.Horizon{Before: ago(time.Minute)}},
		"the shorter of both, the node's": {keep: biz.Retention{MaxAge: time.Hour}, ttl: 2 * time.Hour, want: biz.Horizon{Before: ago(time.Hour)}},
		"a number":                        {keep: biz.Retention{MaxMessages: 4}, want: biz.Horizon{UpTo: 6}},
		"a number that is not reached":    {keep: biz.Retention{MaxMessages: 40}},
		"both":                            {keep: biz.Retention{MaxMessages: 10}, ttl: time.Hour, want: biz.Horizon{Before: ago(time.Hour)}},
	} {
		if got := test.keep.Horizon(test.ttl, head, now); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	h := biz.Horizon{Before: now, UpTo: 3}
	for seq, want := range map[int64]bool{3: true, 4: false} {
		if h.Passed(seq, now) != want {
			t.Errorf("seq %d: passed %v", seq, !want)
		}
	}
	if !h.Passed(4, ago(time.Microsecond)) || (biz.Horizon{}).Passed(1, time.Time{}) {
		t.Error("ages are not told apart")
	}
}
