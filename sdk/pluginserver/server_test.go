package pluginserver

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a plugin whose handler is a function.
type desk struct {
	keys struct {
		Size int `json:"size"`
	}
	handle          func(context.Context, plugin.Action) (plugin.Answer, error)
	starts, stopped atomic.Int32
}

func (*desk) Name() string { return "desk" }

func (d *desk) Config() any { return &d.keys }

func (d *desk) Validate() error {
	if d.keys.Size > 9 {
		return errors.New("size is 9 at most")
	}
	return nil
}

func (d *desk) Start(context.Context) error {
	d.starts.Add(1)
	return nil
}

func (d *desk) Stop(context.Context) error {
	d.stopped.Add(1)
	return nil
}

func (*desk) Actions() []string { return []string{"a"} }

func (d *desk) HandleAction(ctx context.Context, a plugin.Action) (plugin.Answer, error) {
	return d.handle(ctx, a)
}

// served serves a plugin until stop, and returns what calls it.
func served(t *testing.T, p plugin.Plugin) (c pluginv1.PluginServiceClient, stop func() error) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, lis, p) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop = func() (err error) {
		once.Do(func() {
			cancel()
			err = <-done
		})
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return pluginv1.NewPluginServiceClient(conn), stop
}

// hello connects with keys, and returns the description.
func hello(t *testing.T, c pluginv1.PluginServiceClient, keys map[string]any) (grpc.BidiStreamingClient[pluginv1.NodeFrame, pluginv1.PluginFrame], *pluginv1.Description) {
	t.Helper()
	config, err := structpb.NewStruct(keys)
	if err != nil {
		t.Fatal(err)
	}
	st, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(&pluginv1.NodeFrame{Hello: &pluginv1.Hello{Name: "desk", Config: config}}); err != nil {
		t.Fatal(err)
	}
	f, err := st.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return st, f.GetDescription()
}

func action(id uint64) *pluginv1.Call {
	return &pluginv1.Call{Id: id, Request: &pluginv1.Call_HandleAction{HandleAction: &pluginv1.Action{Name: "a"}}}
}

// TestHello: a plugin is configured once, by the first node whose keys it takes, and started once.
func TestHello(t *testing.T) {
	t.Parallel()
	d := &desk{}
	d.keys.Size = 3
	c, stop := served(t, d)
	for _, test := range []struct {
		keys map[string]any
		says string
	}{
		{map[string]any{"size": 5, "sise": 1}, "no such key; allowed here: size"},
		{map[string]any{"size": 10}, "size is 9 at most"},
		{map[string]any{}, ""},
		{map[string]any{}, ""},
		{map[string]any{"size": 5}, "has other keys"},
	} {
		_, got := hello(t, c, test.keys)
		if says := got.String(); !strings.Contains(says, test.says) || (test.says == "") != (len(got.GetProblems()) == 0) {
			t.Errorf("%v: got %s, want %s", test.keys, says, test.says)
		}
		if test.says == "" && (len(got.GetActions()) != 1 || len(got.GetCapabilities()) != 1) {
			t.Errorf("got %v", got)
		}
	}
	if d.keys.Size != 3 {
		t.Errorf("size is %d", d.keys.Size)
	}
	if err := stop(); err != nil || d.starts.Load() != 1 || d.stopped.Load() != 1 {
		t.Errorf("%v, started %d times, stopped %d times", err, d.starts.Load(), d.stopped.Load())
	}
}

func TestNoHello(t *testing.T) {
	t.Parallel()
	c, _ := served(t, &desk{})
	st, err := c.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(&pluginv1.NodeFrame{Calls: []*pluginv1.Call{action(1)}}); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("got %v", err)
	}
}

// TestStopAnswersFirst: what runs when the plugin is told to stop is answered.
func TestStopAnswersFirst(t *testing.T) {
	t.Parallel()
	running, free := make(chan struct{}), make(chan struct{})
	d := &desk{handle: func(context.Context, plugin.Action) (plugin.Answer, error) {
		close(running)
		<-free
		return plugin.Answer{Code: 201}, nil
	}}
	c, stop := served(t, d)
	st, _ := hello(t, c, nil)
	if err := st.Send(&pluginv1.NodeFrame{Calls: []*pluginv1.Call{action(1)}}); err != nil {
		t.Fatal(err)
	}
	<-running
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(free)
	f, err := st.Recv()
	if err != nil || len(f.GetAnswers()) != 1 || f.GetAnswers()[0].GetAction().GetCode() != 201 {
		t.Errorf("got %v, %v", f, err)
	}
	if _, err := st.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestTooManyCalls: beyond the bound a call is refused, and the others go on; cancelling ends them.
func TestTooManyCalls(t *testing.T) {
	t.Parallel()
	d := &desk{handle: func(ctx context.Context, _ plugin.Action) (plugin.Answer, error) {
		<-ctx.Done()
		return plugin.Answer{}, ctx.Err()
	}}
	c, _ := served(t, d)
	st, _ := hello(t, c, nil)
	f := &pluginv1.NodeFrame{}
	for id := range uint64(frames.MaxUnanswered + 1) {
		f.Calls = append(f.Calls, action(id))
	}
	if err := st.Send(f); err != nil {
		t.Fatal(err)
	}
	got, err := st.Recv()
	if err != nil || len(got.GetAnswers()) != 1 || got.GetAnswers()[0].GetId() != frames.MaxUnanswered ||
		got.GetAnswers()[0].GetError().GetKind() != pluginv1.Kind_KIND_UNAVAILABLE {
		t.Fatalf("got %v, %v", got, err)
	}
	f = &pluginv1.NodeFrame{}
	for id := range uint64(frames.MaxUnanswered) {
		f.Cancelled = append(f.Cancelled, id)
	}
	if err := st.Send(f); err != nil {
		t.Fatal(err)
	}
	for left := frames.MaxUnanswered; left > 0; left -= len(got.GetAnswers()) {
		if got, err = st.Recv(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTimeout: a context ends when the node says that its patience does.
func TestTimeout(t *testing.T) {
	t.Parallel()
	d := &desk{handle: func(ctx context.Context, _ plugin.Action) (plugin.Answer, error) {
		if _, ok := ctx.Deadline(); !ok {
			return plugin.Answer{}, errors.New("no deadline")
		}
		<-ctx.Done()
		return plugin.Answer{}, plugin.Unavailable("too late", nil)
	}}
	c, _ := served(t, d)
	st, _ := hello(t, c, nil)
	call := action(1)
	call.TimeoutMs = 20
	if err := st.Send(&pluginv1.NodeFrame{Calls: []*pluginv1.Call{call}}); err != nil {
		t.Fatal(err)
	}
	if f, err := st.Recv(); err != nil || f.GetAnswers()[0].GetError().GetReason() != "too late" {
		t.Errorf("got %v, %v", f, err)
	}
}

// TestAnswersThatCannotBeSent: what has no place in a frame is a failure of its call, and of no other.
func TestAnswersThatCannotBeSent(t *testing.T) {
	t.Parallel()
	for says, answer := range map[string]plugin.Answer{
		"cannot be encoded": {Message: "\xff"},
		"go into a frame":   {Data: make([]byte, 5<<20)},
	} {
		d := &desk{handle: func(context.Context, plugin.Action) (plugin.Answer, error) { return answer, nil }}
		c, _ := served(t, d)
		st, _ := hello(t, c, nil)
		if err := st.Send(&pluginv1.NodeFrame{Calls: []*pluginv1.Call{action(1), {Id: 2}}}); err != nil {
			t.Fatal(err)
		}
		said := ""
		for left := 2; left > 0; {
			f, err := st.Recv()
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range f.GetAnswers() {
				said += a.GetError().GetReason()
				left--
			}
		}
		if !strings.Contains(said, says) || !strings.Contains(said, "does not know what it is asked for") {
			t.Errorf("got %q, want %q", said, says)
		}
	}
}

// FuzzNodeFrame: whatever a node sends, each call is answered once, and nothing panics.
func FuzzNodeFrame(f *testing.F) {
	for _, m := range []*pluginv1.NodeFrame{
		{Calls: []*pluginv1.Call{action(1), action(1), {Id: 2}}, Cancelled: []uint64{1, 7}},
		{Calls: []*pluginv1.Call{{Request: &pluginv1.Call_ObserveRoom{}}, {TimeoutMs: 1<<32 - 1, Request: &pluginv1.Call_HandleAction{}}}},
		{Hello: &pluginv1.Hello{Config: &structpb.Struct{Fields: map[string]*structpb.Value{"size": nil}}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got pluginv1.NodeFrame
		if proto.Unmarshal(data, &got) != nil || len(got.GetCalls()) > 500 {
			return
		}
		d := &desk{handle: func(context.Context, plugin.Action) (plugin.Answer, error) {
			return plugin.Answer{}, errors.New("oh")
		}}
		s := &server{plugin: d, ctx: t.Context(), places: make(chan struct{}, frames.MaxUnanswered), drained: make(chan struct{})}
		if got.GetHello() != nil {
			s.describe(got.GetHello())
		}
		c := &connection{server: s, ctx: t.Context(), out: frames.NewQueue(), running: map[uint64]context.CancelFunc{}}
		c.take(&got)
		c.calls.Wait()
		answers := 0
		for taken := c.out.Take(nil); len(taken) > 0; taken = c.out.Take(nil) {
			answers += len(taken)
		}
		if answers != len(got.GetCalls()) || len(c.running) != 0 {
			t.Errorf("%d answers to %d calls, %d run", answers, len(got.GetCalls()), len(c.running))
		}
	})
}
