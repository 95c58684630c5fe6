package tail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// calls answer History, the n-th call from 0; no other call is made.
type calls func(ctx context.Context, n int) error

func (f calls) caller(outage time.Duration) (*Caller, *[]string, *[]time.Time) {
	var notes []string
	var made []time.Time
	counted := &counted{answer: f, made: &made}
	return &Caller{Calls: counted, Token: "secret", Timeout: 10 * time.Second, Outage: outage, Note: func(format string, args ...any) {
		notes = append(notes, fmt.Sprintf(format, args...))
	}}, &notes, &made
}

type counted struct {
	Calls
	answer calls
	made   *[]time.Time
}

func (c *counted) History(ctx context.Context, _ *imv1.HistoryRequest, _ ...grpc.CallOption) (*imv1.HistoryResponse, error) {
	*c.made = append(*c.made, time.Now())
	if md, _ := metadata.FromOutgoingContext(ctx); md.Get("authorization")[0] != "Bearer secret" {
		return nil, errors.New("no token")
	}
	return &imv1.HistoryResponse{}, c.answer(ctx, len(*c.made)-1)
}

var away = status.Error(codes.Unavailable, "connection refused")

// TestCallerWaitsForTheNode: with growing pauses, and says so twice: that it is away and that it is back.
func TestCallerWaitsForTheNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, notes, made := calls(func(ctx context.Context, n int) error {
			switch {
			case n == 5: // hangs
				<-ctx.Done()
				return status.FromContextError(ctx.Err()).Err()
			case n > 0 && n < 40:
				return away
			}
			return nil
		}).caller(0)
		for range 2 {
			if _, err := c.history(t.Context(), &imv1.HistoryRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if len(*made) != 41 {
			t.Errorf("%d calls", len(*made))
		}
		for i := 2; i < len(*made); i++ {
			most := longestRetry
			if i == 6 {
				most += c.Timeout
			}
			if pause := (*made)[i].Sub((*made)[i-1]); pause > most {
				t.Errorf("call %d comes %v after the one before", i, pause)
			}
		}
		if took := (*made)[40].Sub((*made)[1]); took < 30*time.Second {
			t.Errorf("40 calls in %v", took)
		}
		if want := "no answer; trying again until there is one: connection refused|the node answers again"; strings.Join(*notes, "|") != want {
			t.Errorf("it says %q", *notes)
		}
	})
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	refused := status.Error(codes.PermissionDenied, "no")
	for name, tt := range map[string]struct {
		answers func(n int) error
		outage  time.Duration
		after   time.Duration // at most
		want    error
	}{
		"a node that never answered":       {func(int) error { return away }, 0, 0, away},
		"what will not pass":               {func(n int) error { return []error{nil, refused}[n] }, 0, 0, refused},
		"what will not pass, in an outage": {func(n int) error { return []error{nil, away, refused}[n] }, 0, firstRetry, refused},
		"an outage that is too long": {func(n int) error {
			if n == 0 {
				return nil
			}
			return away
		}, time.Minute, time.Minute + longestRetry, away},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _, made := calls(func(_ context.Context, n int) error { return tt.answers(n) }).caller(tt.outage)
				var err error
				for err == nil {
					_, err = c.history(t.Context(), &imv1.HistoryRequest{})
				}
				if took := time.Since((*made)[0]); !errors.Is(err, tt.want) || took > tt.after {
					t.Errorf("got %v after %v", err, took)
				}
			})
		})
	}
}

// TestCallerHeedsAdvice: it comes back no sooner than the node asks, and ends at once when it is interrupted.
func TestCallerHeedsAdvice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		overloaded, err := status.New(codes.Unavailable, "overloaded").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(40 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		c, _, made := calls(func(_ context.Context, n int) error {
			if n == 1 || n > 2 {
				return overloaded.Err()
			}
			return nil
		}).caller(0)
		for range 2 {
			if _, err := c.history(t.Context(), &imv1.HistoryRequest{}); err != nil {
				t.Fatal(err)
			}
		}
		if pause := (*made)[2].Sub((*made)[1]); pause < 40*time.Second || pause > 41*time.Second {
			t.Errorf("it came back after %v", pause)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if _, err := c.history(ctx, &imv1.HistoryRequest{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > time.Second {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
}

// TestPace: it looks often while there is something and rarely while there is not, and rests after looks
// that took long.
func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p pace
		wait := func(took time.Duration, news bool) time.Duration {
			p.look()
			time.Sleep(took)
			begun := time.Now()
			if err := p.wait(t.Context(), news); err != nil {
				t.Error(err)
			}
			return time.Since(begun)
		}
		for i, tt := range []struct {
			took time.Duration
			news bool
			want time.Duration
		}{
			{0, true, Shortest}, {0, false, Shortest * 3 / 2}, {0, false, Shortest * 9 / 4}, {0, true, Shortest},
			{50 * time.Millisecond, true, 500 * time.Millisecond}, {time.Minute, true, 10 * time.Second}, {0, true, Shortest},
		} {
			if got := wait(tt.took, tt.news); got != tt.want {
				t.Errorf("look %d: waits %v, want %v", i, got, tt.want)
			}
		}
		for range 10 {
			wait(0, false)
		}
		if got := wait(0, false); got != Longest {
			t.Errorf("at rest: %v", got)
		}
	})
}
