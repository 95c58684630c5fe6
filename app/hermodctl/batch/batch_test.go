package batch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/app/hermodctl/batch"
	"github.com/game-im/hermod/sdk/upstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var common = batch.Say{MsgType: "notice", Content: "hello"}

func read(t *testing.T, in string) (records []batch.Record, wrong []string) {
	t.Helper()
	r, err := batch.NewReader(strings.NewReader(in), common)
	if err != nil {
		t.Fatal(err)
	}
	for {
		record, err := r.Next()
		var line *batch.LineError
		switch {
		case errors.Is(err, io.EOF):
			return records, wrong
		case errors.As(err, &line):
			wrong = append(wrong, line.Error())
		case err != nil:
			t.Fatal(err)
		default:
			records = append(records, record)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	own := batch.Say{MsgType: "notice", Title: "T", Content: "hi, \"you\""}
	for name, in := range map[string]string{
		"JSON": `{"openid":"alice"}` + "\n\n" + `{"gid":7,"title":"T","content":"hi, \"you\"","outcome":"offline"}` + "\n" + `{"session":"s","gid":""}`,
		"CSV":  "openid,gid,session,title,content\nalice,,,,\n\n,7,,T,\"hi, \"\"you\"\"\"\n,,s,,\n",
		"BOM":  "\xef\xbb\xbfopenid,gid,session,title,content\nalice,,,,\n\n,7,,T,\"hi, \"\"you\"\"\"\n,,s,,\n",
	} {
		got, wrong := read(t, in)
		if len(got) != 3 || len(wrong) > 0 {
			t.Fatalf("%s: %+v, %v", name, got, wrong)
		}
		for i, want := range []batch.Record{{1, upstream.OpenID("alice"), common}, {3, upstream.GID(7), own}, {4, upstream.Session("s"), common}} {
			if name != "JSON" {
				want.Line = []int{2, 4, 5}[i]
			}
			if got[i] != want {
				t.Errorf("%s: got %+v, want %+v", name, got[i], want)
			}
		}
	}
	if got, wrong := read(t, ""); len(got)+len(wrong) > 0 {
		t.Errorf("nothing: %v %v", got, wrong)
	}
}

func TestReaderGoesOnBehindWhatIsWrong(t *testing.T) {
	t.Parallel()
	got, wrong := read(t, strings.Join([]string{
		`{"openid":"a"}`, `{"openid":`, `[]`, `{"openid":5}`, `{"gid":"x"}`, `{"gid":1.5}`, `{}`, `{"openid":"a","gid":1}`, `{"openid":"b"}`,
	}, "\n"))
	if len(got) != 2 || len(wrong) != 7 || !strings.HasPrefix(wrong[0], "line 2: ") {
		t.Errorf("%+v, %q", got, wrong)
	}
	got, wrong = read(t, "openid,gid\na,\nb,c,d\n,x\n\"e\"f,\ng,\n")
	if len(got) != 2 || len(wrong) != 3 {
		t.Errorf("%+v, %q", got, wrong)
	}
	for _, in := range []string{"alice\nbob\n", "openid,name\n"} {
		if _, err := batch.NewReader(strings.NewReader(in), common); err == nil || !strings.Contains(err.Error(), "openid, gid, session") {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// FuzzReader: whatever comes in, every line is a record or an error, and reading ends.
func FuzzReader(f *testing.F) {
	f.Add("openid\na\n")
	f.Add(`{"openid":"a"}`)
	f.Fuzz(func(t *testing.T, in string) {
		r, err := batch.NewReader(strings.NewReader(in), common)
		if err != nil {
			return
		}
		for range len(in) + 2 {
			record, err := r.Next()
			var line *batch.LineError
			switch {
			case errors.As(err, &line):
			case err != nil:
				return
			case record.Target.ID == "" || record.Line < 1:
				t.Fatalf("%+v", record)
			}
		}
		t.Fatal("it does not end")
	})
}

// pusher remembers by key what it pushed, as a gateway does. Users called away are offline.
type pusher struct {
	mu     sync.Mutex
	calls  map[string][]upstream.Target // by what was said and the first target
	pushed map[string]int               // by target
	hold   chan struct{}                // not nil: a call waits for it
	began  chan struct{}
	err    error
}

func (p *pusher) PushBatch(ctx context.Context, to []upstream.Target, n upstream.Notification, _ ...upstream.CallOption) ([]upstream.Result, error) {
	if p.hold != nil {
		p.began <- struct{}{}
		<-p.hold
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return nil, p.err
	}
	p.calls[n.Content+" "+to[0].ID] = to
	results := make([]upstream.Result, len(to))
	for i, target := range to {
		p.pushed[target.ID]++
		results[i] = upstream.Result{Target: target, Outcome: upstream.Outcome{Status: upstream.Delivered}}
		if strings.HasPrefix(target.ID, "away") {
			results[i] = upstream.Result{Target: target, Outcome: upstream.Outcome{Status: upstream.Offline}, Err: errors.New("no session")}
		}
	}
	return results, nil
}

func newPusher() *pusher {
	return &pusher{calls: map[string][]upstream.Target{}, pushed: map[string]int{}, began: make(chan struct{}, 100)}
}

func run(t *testing.T, ctx context.Context, p *pusher, cfg batch.Config, in string) (batch.Counts, error) { //nolint:revive // ctx is what differs; t comes first as everywhere
	t.Helper()
	r, err := batch.NewReader(strings.NewReader(in), common)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Timeout, cfg.Key = time.Minute, "k"
	return batch.New(p, cfg).Run(ctx, r)
}

func TestRun(t *testing.T) {
	t.Parallel()
	var in strings.Builder
	in.WriteString("openid,content\n")
	for i := range 100 {
		fmt.Fprintf(&in, "user %d,\n", i)
	}
	in.WriteString("away 1,\nown,for you\nlast,\n,\n")
	p := newPusher()
	var failed []string
	counts, err := run(t, t.Context(), p, batch.Config{Size: 30, Parallel: 3, Failed: func(r batch.Record, s upstream.Status, _ error) {
		failed = append(failed, fmt.Sprint(r.Target.ID, s))
	}}, in.String())
	want := map[upstream.Status]int{upstream.Delivered: 102, upstream.Offline: 1, upstream.Rejected: 1}
	if err != nil || counts.Targets != 104 || !maps.Equal(counts.Outcomes, want) || counts.Reached() != 102 {
		t.Errorf("%+v, %v", counts, err)
	}
	if len(p.pushed) != 103 || len(p.calls) != 6 || len(p.calls["hello user 30"]) != 30 || len(p.calls["for you own"]) != 1 {
		t.Errorf("calls %v", p.calls)
	}
	if len(failed) != 2 {
		t.Errorf("failed %q", failed)
	}
	var out bytes.Buffer
	counts.Print(&out, 2*time.Second)
	if text := out.String(); !strings.Contains(text, "104 targets in 2s (52 a second)\n  delivered  102\n  offline    1\n") {
		t.Errorf("%s", text)
	}
}

// TestRunInterrupted: what is under way is counted when it is answered, and nothing is begun.
func TestRunInterrupted(t *testing.T) {
	t.Parallel()
	p := newPusher()
	p.hold = make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-p.began
		<-p.began
		cancel()
		close(p.hold)
	}()
	in := "openid\n" + strings.Repeat("user\n", 1000)
	counts, err := run(t, ctx, p, batch.Config{Size: 10, Parallel: 2}, in)
	if !errors.Is(err, batch.ErrInterrupted) || counts.Targets != counts.Outcomes[upstream.Delivered] || counts.Targets != p.pushed["user"] {
		t.Errorf("%+v, %v; %d were pushed to", counts, err, p.pushed["user"])
	}
	if counts.Targets < 20 || counts.Targets > 40 {
		t.Errorf("%d targets of 1000", counts.Targets)
	}
}

func TestRunWithoutAnswers(t *testing.T) {
	t.Parallel()
	in := "openid\n" + strings.Repeat("user\n", 1000)
	for _, test := range []struct {
		err    error
		status upstream.Status
		all    bool
	}{
		{status.Error(codes.Unavailable, "gone"), upstream.Unknown, false},
		{&upstream.PushError{Code: "TOO_MANY_TARGETS"}, upstream.Rejected, true},
	} {
		p := newPusher()
		p.err = test.err
		counts, err := run(t, t.Context(), p, batch.Config{Size: 10, Parallel: 2}, in)
		if (err == nil) != test.all || !test.all && !errors.Is(err, test.err) || (counts.Targets == 1000) != test.all || counts.Outcomes[test.status] != counts.Targets {
			t.Errorf("%v: %+v, %v", test.err, counts, err)
		}
	}
}
