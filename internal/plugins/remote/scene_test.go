package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/sdk/pluginserver"
)

// envRole has the test's program be a plugin instead.
const envRole = "HERMOD_TEST_PLUGIN"

func TestMain(m *testing.M) {
	switch role := os.Getenv(envRole); role {
	case "":
		goleak.VerifyTestMain(m)
	case "talker":
		pluginserver.Main(&talker{})
	case "node":
		beNode()
	case "mute":
		fmt.Fprintln(os.Stdout, "nothing to say")
		os.Exit(3)
	default:
		serveGarbage(role)
	}
}

const patience = 20 * time.Second

// talker is a plugin that does what the texts that it is asked about say.
type talker struct {
	keys struct {
		Tail string `json:"tail"`
	}
	calls atomic.Int64
}

func (*talker) Name() string { return "talker" }

func (p *talker) Config() any { return &p.keys }

func (p *talker) Validate() error {
	if p.keys.Tail == "bad" {
		return errors.New("tail must not be bad")
	}
	return nil
}

func (p *talker) Start(ctx context.Context) error {
	plugin.Logger(ctx).Info("the talker starts")
	if p.keys.Tail == "broken" {
		return errors.New("nothing to talk with")
	}
	return nil
}

func (p *talker) InterceptMessage(ctx context.Context, m plugin.Message) (plugin.Message, error) {
	switch text := string(m.Content); {
	case text == "sleep":
		time.Sleep(10 * time.Second)
	case text == "wait":
		<-ctx.Done()
		return m, ctx.Err()
	case text == "panic" && p.calls.Add(1)%2 == 0:
		panic("every second time")
	case text == "refuse":
		return m, plugin.Refused("not here")
	case text == "die":
		os.Exit(7)
	case text == "pid":
		m.Content = fmt.Append(nil, os.Getpid())
		return m, nil
	case text == "eat":
		eat()
	case text == "long":
		m.Content = bytes.Repeat([]byte("x"), 1000)
	case text == "metadata":
		m.Metadata = map[string]string{"k": "\x00"}
	case text == "other":
		m.UserID = "somebody else"
	case strings.HasPrefix(text, "hi"):
		m.Content = append(m.Content, p.keys.Tail...)
	}
	return m, nil
}

// eat takes memory without end.
func eat() {
	for all := [][]byte{}; ; {
		page := make([]byte, 1<<20)
		for i := 0; i < len(page); i += 4096 {
			page[i] = 1
		}
		all = append(all, page)
		runtime.KeepAlive(all)
	}
}

func (p *talker) ObserveMessage(_ context.Context, m plugin.Message) error {
	fmt.Fprintf(os.Stdout, "heard %d %s\n", m.Seq, m.Content)
	return nil
}

func (p *talker) ObserveRoom(_ context.Context, e plugin.RoomEvent) error {
	fmt.Fprintln(os.Stdout, "heard that", e.UserID, e.Kind)
	return nil
}

func (p *talker) ObserveSession(_ context.Context, e plugin.SessionEvent) error {
	fmt.Fprintln(os.Stdout, "heard that", e.SessionID, e.Kind)
	return nil
}

func (p *talker) ObserveRefusal(_ context.Context, r plugin.Refusal) error {
	fmt.Fprintf(os.Stdout, "heard that %s was refused %s by %s: %s\n", r.Access.By, r.Message.Content, r.Plugin, r.Reason)
	return nil
}

func (p *talker) NotifyOffline(_ context.Context, n plugin.Notification) error {
	fmt.Fprintln(os.Stdout, "heard that", n.Users, "are away for", n.Push.ID, n.Message == nil)
	return &plugin.Error{Kind: plugin.KindUnavailable, Reason: "busy", RetryAfter: time.Second}
}

func (p *talker) Authorize(_ context.Context, a plugin.Access) error {
	if a.Kind == plugin.Push && a.Target.Kind == plugin.Everybody {
		return plugin.PermissionDenied("not to everybody, %s", a.By)
	}
	return nil
}

func (p *talker) Actions() []string { return []string{"roll", "fail"} }

func (p *talker) HandleAction(_ context.Context, a plugin.Action) (plugin.Answer, error) {
	if a.Name == "fail" {
		return plugin.Answer{}, errors.New("out of dice")
	}
	return plugin.Answer{Code: 201, Message: a.UserID, Data: a.Data, Headers: a.Headers}, nil
}

func (p *talker) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	if c.Token != "K7" {
		return plugin.Identity{}, plugin.Unauthenticated("the ticket is not known")
	}
	return plugin.Identity{UserID: "alice", Roles: []string{"service"}, Expiry: time.Unix(2e9, 0)}, nil
}

func (p *talker) Transcribe(ctx context.Context, a plugin.Audio) (plugin.Transcript, error) {
	n := int64(0)
	for range 2 { // it may be read more than once
		r, err := a.Open(ctx)
		if err != nil {
			return plugin.Transcript{}, err
		}
		read, err := io.Copy(io.Discard, r)
		if err != nil {
			return plugin.Transcript{}, err
		}
		n += read
		if err := r.Close(); err != nil {
			return plugin.Transcript{}, err
		}
	}
	if n != 2*a.Size {
		return plugin.Transcript{}, plugin.Refused("%d bytes of %d", n, a.Size)
	}
	return plugin.Transcript{Text: a.Format + " " + a.Duration.String(), Confidence: 0.5}, nil
}

// garbage is a plugin that says the wrong things, by the word that it is.
type garbage struct {
	pluginv1.UnimplementedPluginServiceServer
	role string
}

func serveGarbage(role string) {
	lis, err := net.Listen("unix", strings.TrimPrefix(os.Getenv(pluginserver.EnvListen), "unix:"))
	if err != nil {
		panic(err)
	}
	g := grpc.NewServer(grpc.ForceServerCodecV2(frames.Codec{}))
	pluginv1.RegisterPluginServiceServer(g, garbage{role: role})
	fmt.Fprintln(os.Stdout, g.Serve(lis))
}

func (g garbage) Connect(st grpc.BidiStreamingServer[pluginv1.NodeFrame, pluginv1.PluginFrame]) error {
	if _, err := st.Recv(); err != nil {
		return err
	}
	d := &pluginv1.Description{Capabilities: []pluginv1.Capability{pluginv1.Capability_CAPABILITY_MESSAGE_INTERCEPTOR, 99}}
	switch g.role {
	case "first frame":
		return st.Send(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{{Id: 1}}})
	case "no frame first":
		return st.SendMsg(frames.Frame{[]byte("\xff\xff\xff")})
	case "gone":
		return nil
	}
	if err := st.Send(&pluginv1.PluginFrame{Description: d}); err != nil {
		return err
	}
	for {
		f, err := st.Recv()
		if err != nil {
			return err
		}
		for _, c := range f.GetCalls() {
			if err := g.answer(st, c); err != nil {
				return err
			}
		}
	}
}

func (g garbage) answer(st grpc.BidiStreamingServer[pluginv1.NodeFrame, pluginv1.PluginFrame], c *pluginv1.Call) error {
	a := &pluginv1.Answer{Id: c.GetId()}
	if string(c.GetInterceptMessage().GetContent()) == "fine" {
		return st.Send(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{a}})
	}
	switch g.role {
	case "no frame":
		return st.SendMsg(frames.Frame{[]byte("\xff\xff\xff")})
	case "unknown call":
		a.Id += 1000
	case "twice":
		return st.Send(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{a, a}})
	case "another outcome":
		a.Outcome = &pluginv1.Answer_Identity{Identity: &pluginv1.Identity{UserId: "root"}}
	case "too large":
		a.Outcome = &pluginv1.Answer_Payload{Payload: &pluginv1.Payload{Content: make([]byte, 5<<20)}}
	case "bad reason":
		a.Outcome = &pluginv1.Answer_Error{Error: &pluginv1.Error{Kind: pluginv1.Kind_KIND_REFUSED, Reason: strings.Repeat("x", 5000)}}
	case "silence":
		return nil
	}
	return st.Send(&pluginv1.PluginFrame{Answers: []*pluginv1.Answer{a}})
}

// journal is a log that is read while it is written.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// as returns the settings of a plugin that is this program in a role.
func as(t testing.TB, role string, keys map[string]any) *conf.Plugin {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &conf.Plugin{
		Name: "p", Config: made(t, keys), Deadline: durationpb.New(patience), RetryAfter: durationpb.New(10 * time.Millisecond),
		Process: &conf.PluginProcess{Command: []string{program}, Env: made(t, map[string]any{envRole: role})},
	}
}

func made(t testing.TB, keys map[string]any) *structpb.Struct {
	t.Helper()
	if keys == nil {
		return nil
	}
	s, err := structpb.NewStruct(keys)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// node is what a node has of its plugins.
type node struct {
	*plugins.Host
	linked  []plugin.Plugin
	metrics *remote.Plugins
	log     *journal
}

// open starts plugins as a node does.
func open(t testing.TB, linked []plugin.Plugin, configured ...*conf.Plugin) *node {
	t.Helper()
	n, err := tryOpen(t, linked, configured...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func tryOpen(t testing.TB, linked []plugin.Plugin, configured ...*conf.Plugin) (*node, error) {
	t.Helper()
	n := &node{log: &journal{}}
	log := slog.New(slog.NewTextHandler(n.log, nil))
	outside, err := remote.Open(t.Context(), configured, remote.Options{Version: "test", Log: log})
	if err != nil {
		return nil, err
	}
	t.Cleanup(outside.Close)
	n.metrics = outside
	n.linked = append(outside.Linked(), linked...)
	if n.Host, err = plugins.New(configured, n.linked, plugins.NewMetrics(), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	if err := n.Start(t.Context()); err != nil {
		return nil, err
	}
	return n, nil
}

// of returns the capability of the first plugin.
func of[C any](t testing.TB, n *node) C {
	t.Helper()
	c, ok := plugin.As[C](n.linked[0])
	if !ok {
		t.Fatalf("it cannot do %T", c)
	}
	return c
}

// say has the host decide about a message, and returns it as it is to be stored, or the reason of the
// refusal, and how long that took.
func (n *node) say(room, text string) (string, time.Duration) {
	began := time.Now()
	done := make(chan error, 1)
	d := &biz.Draft{Message: biz.Message{Room: biz.RoomID(room), Sender: "alice", Type: biz.TypeText, Content: []byte(text)}}
	n.Interceptor().Intercept(d, biz.Speaker{}, fits, func(err error) { done <- err })
	if err := <-done; err != nil {
		return biz.AsError(err).Reason, time.Since(began)
	}
	return string(d.Content), time.Since(began)
}

func fits(p biz.Payload) error {
	if len(p.Content) > 200 || strings.ContainsRune(fmt.Sprint(p.Metadata), 0) {
		return biz.Errorf(biz.KindInvalid, "NOT_STORABLE", "it cannot be stored")
	}
	return nil
}

func (n *node) text(room, text string) string {
	got, _ := n.say(room, text)
	return got
}

// await waits until something is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come about", what)
		}
	}
}
