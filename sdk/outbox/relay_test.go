package outbox_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/outbox"
)

// What comes to nothing is tried again in the same place and under the same id, whatever the reason, and parked when it
// has failed too often by a fault that may be its own.
func TestAttemptsAndTheirEnd(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err   error
		times int // that it is answered, before all is well
		ends  outbox.Result
	}{
		"unavailable does not count":   {status.Error(codes.Unavailable, "draining"), 12, outbox.Sent},
		"nor does a foreign token":     {status.Error(codes.Unauthenticated, "who?"), 12, outbox.Sent},
		"nor does silence":             {status.Error(codes.DeadlineExceeded, "slow"), 12, outbox.Sent},
		"nor does what is not sent":    {errors.New("no token"), 12, outbox.Sent},
		"a few failures":               {status.Error(codes.Internal, "a fault"), 4, outbox.Sent},
		"many failures":                {status.Error(codes.Internal, "a fault"), 12, outbox.Aside},
		"many refusals for the moment": {status.Error(codes.ResourceExhausted, "slower"), 12, outbox.Aside},
		"a refusal":                    {status.Error(codes.PermissionDenied, "no"), 1, outbox.Aside},
		"a conflict":                   {status.Error(codes.Aborted, "another message has this id"), 1, outbox.Aside},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, box := newBox(t)
			var calls atomic.Int64
			opts := soon
			opts.Attempts = 5
			_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(_ context.Context, req *imv1.SendMessageRequest) error {
				if req.GetMessageId() == "first" && int(calls.Add(1)) <= tt.times {
					return tt.err
				}
				return nil
			})}, opts)
			add(t, db, box, message("hall", "first"), message("hall", "second"))
			first, second := next(t, ends), next(t, ends)
			if first.ID != "first" || first.Result != tt.ends || second.ID != "second" || second.Result != outbox.Sent {
				t.Errorf("%+v and then %+v; want first %s and second sent", first, second, tt.ends)
			}
		})
	}
}

// Hermod's own advice is the least that a relay waits.
func TestAdviceIsTaken(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	const advice = 300 * time.Millisecond
	busy, err := status.New(codes.ResourceExhausted, "slower").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(advice)})
	if err != nil {
		t.Fatal(err)
	}
	var first atomic.Pointer[time.Time]
	waited := make(chan time.Duration, 1)
	_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error {
		now := time.Now()
		if first.CompareAndSwap(nil, &now) {
			return busy.Err()
		}
		waited <- now.Sub(*first.Load())
		return nil
	})}, soon)
	add(t, db, box, message("hall", "id"))
	next(t, ends)
	if w := <-waited; w < advice-time.Millisecond { // the table has milliseconds
		t.Errorf("tried again after %v; the advice was %v", w, advice)
	}
}

// A room for which Hermod is never available, and one for which it is silent, hold up nobody else.
func TestPoisonedRoomsHoldUpNobody(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	opts := soon
	opts.MaxBackoff, opts.CallTimeout = 100*time.Millisecond, 50*time.Millisecond
	_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(ctx context.Context, req *imv1.SendMessageRequest) error {
		switch req.GetRoomId() {
		case "refused":
			return status.Error(codes.Unavailable, "a plugin does not answer")
		case "hanging":
			<-ctx.Done()
			return status.FromContextError(ctx.Err()).Err()
		}
		return nil
	})}, opts)
	add(t, db, box, message("refused", "r"), message("hanging", "h"))
	for range 20 {
		add(t, db, box, message("hall", "ok"))
		if e := next(t, ends); e.ID != "ok" || e.Result != outbox.Sent {
			t.Fatalf("%+v has left; want what the hall is told", e)
		}
	}
}

// However much waits in a room that fails, others are delivered about as fast as without it.
func TestALongBacklogHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const others, behind = 60, 20_000
	took := func(backlog int) time.Duration {
		db, box := newBox(t)
		add(t, db, box, message("failing", "id"))
		err := db.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			INSERT INTO hermod_outbox (lane, kind, item_id, payload, size, added_at)
			SELECT lane, kind, item_id || i, payload, size, added_at FROM hermod_outbox, n`, backlog).Error
		if err != nil {
			t.Fatal(err)
		}
		opts := outbox.Options{FirstBackoff: time.Hour, MaxBackoff: time.Hour}
		_, ends, stop := run(t, box, outbox.Clients{IM: hermod(func(_ context.Context, req *imv1.SendMessageRequest) error {
			if req.GetRoomId() == "failing" {
				return status.Error(codes.Internal, "a fault")
			}
			return nil
		})}, opts)
		defer stop()
		items := make([]outbox.Item, others)
		for i := range items {
			items[i] = message("room "+strconv.Itoa(i), "ok")
		}
		began := time.Now()
		add(t, db, box, items...)
		for range others {
			if e := next(t, ends); e.ID != "ok" || e.Result != outbox.Sent {
				t.Fatalf("%+v has left; want what others are told", e)
			}
		}
		return time.Since(began)
	}
	var without, with time.Duration
	for range 5 { // a busy machine makes one or the other slow
		if without, with = took(1), took(behind); with <= 6*without {
			return
		}
	}
	t.Errorf("%d messages in other rooms take %v, and %v without the backlog, five times", others, with, without)
}

// Rooms take turns, also when many of them have to wait: each that has something is found.
func TestManyRoomsTakeTurns(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	const rooms = 260 // more than a statement visits
	var waiting atomic.Bool
	waiting.Store(true)
	opts := outbox.Options{FirstBackoff: time.Hour, MaxBackoff: time.Hour}
	relay, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(_ context.Context, _ *imv1.SendMessageRequest) error {
		if waiting.Load() {
			return status.Error(codes.Internal, "a fault")
		}
		return nil
	})}, opts)
	items := make([]outbox.Item, rooms)
	for i := range items {
		items[i] = message("room "+strconv.Itoa(i), "waits")
	}
	add(t, db, box, items...)
	waitUntil(t, func() bool { return relay.Stats().Retried == rooms })
	waiting.Store(false)
	for i := range 20 {
		add(t, db, box, message("hall "+strconv.Itoa(i), "ok"))
		if e := next(t, ends); e.ID != "ok" || e.Result != outbox.Sent {
			t.Fatalf("%+v has left; want what the hall is told", e)
		}
	}
}

// While Hermod is unavailable a relay tries with one room at a time and not with all.
func TestOneRoomTriesWhileHermodIsAway(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	const rooms = 200
	var calls atomic.Int64
	back := make(chan struct{})
	opts := soon
	opts.FirstBackoff, opts.MaxBackoff, opts.Lanes = 20*time.Millisecond, 20*time.Millisecond, 4
	relay, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error {
		select {
		case <-back:
			return nil
		default:
			calls.Add(1)
			return status.Error(codes.Unavailable, "away")
		}
	})}, opts)
	began := time.Now()
	items := make([]outbox.Item, rooms)
	for i := range items {
		items[i] = message(string(rune('a'+i)), "id")
	}
	add(t, db, box, items...)
	waitUntil(t, func() bool { return relay.Stats().Retried >= 40 })
	// Four lanes that were in hand when it went away, and one for each wait, of 10 ms at least.
	if most := 4 + int64(time.Since(began)/(10*time.Millisecond)) + 1; calls.Load() > most {
		t.Errorf("%d calls; want %d at most", calls.Load(), most)
	}
	close(back)
	for range rooms {
		if e := next(t, ends); e.Result != outbox.Sent {
			t.Fatalf("%+v; want it sent", e)
		}
	}
}

// Relays that share a table leave each other alone: no call is made twice while nobody dies.
func TestRelaysLeaveEachOtherAlone(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	const rooms, messages = 20, 10
	var calls atomic.Int64
	clients := outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error {
		calls.Add(1)
		time.Sleep(time.Millisecond) // as a node takes
		return nil
	})}
	opts := soon
	// SQLite serves who waits for its lock in no order: the fewer do, and the longer they may, the less is given up.
	opts.Poll, opts.Lanes, opts.Lease = time.Millisecond, 4, 2*time.Minute
	var relays []*outbox.Relay
	for range 3 {
		r, _, _ := run(t, box, clients, opts)
		relays = append(relays, r)
	}
	for i := range messages {
		var batch []outbox.Item
		for room := range rooms {
			batch = append(batch, message(strconv.Itoa(room), strconv.Itoa(i)))
		}
		add(t, db, box, batch...)
	}
	waitUntil(t, func() bool {
		var sent uint64
		for _, r := range relays {
			sent += r.Stats().Sent
		}
		return sent == rooms*messages
	})
	if n := calls.Load(); n != rooms*messages {
		t.Errorf("%d calls for %d messages", n, rooms*messages)
	}
}

// A database that takes long to note what was sent is waited for: nothing is sent again meanwhile.
func TestSlowDatabaseRepeatsNothing(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	var calls atomic.Int64
	freed := make(chan error, 1)
	_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error {
		if calls.Add(1) == 1 {
			tx := db.Begin() // nobody else writes until it ends
			time.AfterFunc(7*time.Second, func() { freed <- tx.Rollback().Error })
			return tx.Error
		}
		return nil
	})}, soon)
	add(t, db, box, message("hall", "once"))
	if e := next(t, ends); e.ID != "once" || e.Result != outbox.Sent || calls.Load() != 1 {
		t.Errorf("%+v after %d calls; want it sent by one", e, calls.Load())
	}
	if err := <-freed; err != nil {
		t.Error(err)
	}
}

// Run returns when what is being sent has been, and leaves the rest to others at once.
func TestStopIsGraceful(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	sending, answer := make(chan string, 9), make(chan struct{})
	clients := outbox.Clients{IM: hermod(func(_ context.Context, req *imv1.SendMessageRequest) error {
		sending <- req.GetMessageId()
		<-answer
		return nil
	})}
	relay, ends, cancel := run(t, box, clients, outbox.Options{})
	add(t, db, box, message("hall", "first"), message("hall", "second"))
	<-sending
	if err := relay.Run(t.Context()); err == nil {
		t.Error("a relay runs twice")
	}
	cancel()
	close(answer)
	if e := next(t, ends); e.ID != "first" || e.Result != outbox.Sent {
		t.Errorf("%+v has left; want the first, sent", e)
	}
	_, others, _ := run(t, box, clients, outbox.Options{Poll: 10 * time.Millisecond}) // with a lease of 30 s
	if e := next(t, others); e.ID != "second" || e.Result != outbox.Sent || e.Took > 20*time.Second {
		t.Errorf("%+v has left; want the second, which is free at once", e)
	}
}

// What was tried long ago might be said twice: it is parked.
func TestOldAttemptsAreNotRepeated(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	add(t, db, box, message("hall", "tried"), message("hall", "never-tried"))
	long := time.Now().Add(-13 * time.Hour).UnixMilli()
	if err := db.Exec(`UPDATE hermod_outbox SET added_at = ?`, long).Error; err != nil {
		t.Fatal(err)
	}
	if err := db.Exec(`UPDATE hermod_outbox SET tried_at = ? WHERE item_id = 'tried'`, long).Error; err != nil {
		t.Fatal(err)
	}
	_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error { return nil })}, soon)
	if e := next(t, ends); e.ID != "tried" || e.Result != outbox.Aside || e.Reason != outbox.ReasonTooOld {
		t.Errorf("%+v has left; want it parked as too old", e)
	}
	if e := next(t, ends); e.ID != "never-tried" || e.Result != outbox.Sent || e.Took < 12*time.Hour {
		t.Errorf("%+v has left; want it sent, however long it has waited", e)
	}
	parked, err := box.Parked(t.Context(), 0, 1)
	if err != nil || len(parked) != 1 {
		t.Fatal(parked, err)
	}
	if _, err := box.Retry(t.Context(), parked[0].Row); err != nil {
		t.Fatal(err)
	}
	if e := next(t, ends); e.ID != "tried" || e.Result != outbox.Sent {
		t.Errorf("%+v has left; want it sent, as it was asked for", e)
	}
}

// A row that nobody can read is parked, and is listed.
func TestUnreadableRowsAreParked(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	add(t, db, box, message("hall", "broken"), message("hall", "ok"))
	if err := db.Exec(`UPDATE hermod_outbox SET payload = '{' WHERE item_id = 'broken'`).Error; err != nil {
		t.Fatal(err)
	}
	_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error { return nil })}, soon)
	if e := next(t, ends); e.ID != "broken" || e.Reason != outbox.ReasonUnreadable || e.Item != nil {
		t.Errorf("%+v has left; want it parked as unreadable", e)
	}
	if e := next(t, ends); e.ID != "ok" || e.Result != outbox.Sent {
		t.Errorf("%+v has left; want it sent", e)
	}
	if parked, err := box.Parked(t.Context(), 0, 10); err != nil || len(parked) != 1 || parked[0].Item != nil {
		t.Errorf("parked is %+v, error %v; want the broken one", parked, err)
	}
}

// Messages carry the token of the source, which is asked anew, and wait while it has none.
func TestTokenSource(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	opts := soon
	var asked atomic.Int64
	opts.TokenSource = func(context.Context) (string, error) {
		if asked.Add(1) < 3 {
			return "", errors.New("the source is dry")
		}
		return "secret", nil
	}
	seen := make(chan []string, 1)
	_, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(ctx context.Context, _ *imv1.SendMessageRequest) error {
		md, _ := metadata.FromOutgoingContext(ctx)
		seen <- md.Get("authorization")
		return nil
	})}, opts)
	add(t, db, box, message("hall", "id"))
	if next(t, ends); len(seen) != 1 {
		t.Fatal("it was not sent once")
	}
	if got := <-seen; len(got) != 1 || got[0] != "Bearer secret" {
		t.Errorf("authorization is %q", got)
	}
}

// A relay goes on when its database has failed.
func TestDatabaseFailsAndRecovers(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	relay, ends, _ := run(t, box, outbox.Clients{IM: hermod(func(context.Context, *imv1.SendMessageRequest) error { return nil })}, soon)
	if err := db.Exec(`ALTER TABLE hermod_outbox RENAME TO gone`).Error; err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return relay.Stats().Failures >= 3 })
	if err := db.Exec(`ALTER TABLE gone RENAME TO hermod_outbox`).Error; err != nil {
		t.Fatal(err)
	}
	add(t, db, box, message("hall", "id"))
	if e := next(t, ends); e.Result != outbox.Sent {
		t.Errorf("%+v has left; want it sent", e)
	}
}

func waitUntil(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass")
		}
	}
}
