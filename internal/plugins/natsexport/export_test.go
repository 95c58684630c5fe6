package natsexport_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/plugins/natsexport"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/test/authority"
	"github.com/game-im/hermod/test/loopback"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// natsServer is a NATS server with JetStream that may be stopped and started on the same files and port.
type natsServer struct {
	t       *testing.T
	options *server.Options
	running *server.Server
}

func startNATS(t *testing.T, set func(*server.Options)) *natsServer {
	t.Helper()
	s := &natsServer{t: t, options: &server.Options{
		Host: "127.0.0.1", Port: loopback.Port(t), JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	}}
	if set != nil {
		set(s.options)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *natsServer) start() {
	s.t.Helper()
	options := s.options.Clone() // the server changes its own
	running, err := server.NewServer(options)
	if err != nil {
		s.t.Fatal(err)
	}
	running.Start()
	if !running.ReadyForConnections(patience) {
		s.t.Fatal("the NATS server does not start")
	}
	s.running = running
}

func (s *natsServer) stop() {
	s.running.Shutdown()
	s.running.WaitForShutdown()
}

// connect returns a connection of the test's own.
func (s *natsServer) connect(options ...nats.Option) jetstream.JetStream {
	s.t.Helper()
	conn, err := nats.Connect(s.running.ClientURL(), options...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	return js
}

// exporting is an export that runs until stop, or the end of the test.
type exporting struct {
	*natsexport.Export
	stopped bool
}

func (e *exporting) stop(ctx context.Context) error {
	if e.stopped {
		return nil
	}
	e.stopped = true
	return e.Stop(ctx)
}

// started returns an export to the server that makes its stream.
func (s *natsServer) started(set func(*natsexport.Config)) *exporting {
	s.t.Helper()
	e, err := s.try(func(c *natsexport.Config) {
		c.CreateStream = true
		if set != nil {
			set(c)
		}
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

func (s *natsServer) try(set func(*natsexport.Config)) (*exporting, error) {
	s.t.Helper()
	e := &exporting{Export: natsexport.New()}
	c := e.Config().(*natsexport.Config)
	c.URLs = []string{s.running.ClientURL()}
	set(c)
	if err := e.Validate(); err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(plugin.WithLogger(s.t.Context(), slog.New(slog.DiscardHandler)), patience)
	defer cancel()
	if err := e.Start(ctx); err != nil {
		return nil, err
	}
	s.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what is left by now is left by a test that has failed, or on purpose
		_ = e.stop(ctx)
	})
	return e, nil
}

// event is what a consumer reads.
type event struct {
	Kind, ID, Type, Text, Nickname, Role string
	RoomID                               string `json:"room_id"`
	UserID                               string `json:"user_id"`
	ClientID                             string `json:"client_id"`
	Seq                                  int64
	Content                              []byte
	Metadata                             map[string]string
	Time                                 time.Time

	subject, msgID string
}

// read reads so many events of a stream, from the first on.
func read(t *testing.T, js jetstream.JetStream, filter string, most int) (events []event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "HERMOD", jetstream.OrderedConsumerConfig{FilterSubjects: []string{filter}})
	if err != nil {
		t.Fatal(err)
	}
	for range most {
		m, err := consumer.Next(jetstream.FetchMaxWait(patience))
		if err != nil {
			t.Fatalf("event %d: %v", len(events), err)
		}
		v := event{subject: m.Subject(), msgID: m.Headers().Get(nats.MsgIdHdr)}
		if err := json.Unmarshal(m.Data(), &v); err != nil {
			t.Fatal(err)
		}
		events = append(events, v)
	}
	return events
}

// stored is how many events the stream has.
func stored(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), "HERMOD")
	if err != nil {
		t.Fatal(err)
	}
	return s.CachedInfo().State.Msgs
}

func observe(t *testing.T, e *exporting, m plugin.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := e.ObserveMessage(ctx, m); err != nil {
		t.Fatal(err)
	}
}

func said(seq int) plugin.Message {
	return plugin.Message{ID: fmt.Sprint("m", seq), RoomID: "hall", Seq: int64(seq), UserID: "ann", Type: plugin.Text, Content: []byte("hi"), Time: time.Unix(1e9, 0)}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Plugin(t, func() plugin.Plugin { return natsexport.New() })
	e := startNATS(t, nil).started(nil)
	plugintest.MessageObserver(t, e, said(1))
	plugintest.RoomObserver(t, e)
}

func TestWhatIsExported(t *testing.T) {
	t.Parallel()
	s := startNATS(t, nil)
	e := s.started(nil)
	at := time.Date(2026, 1, 2, 3, 4, 5, 600, time.FixedZone("east", 3600))
	observe(t, e, plugin.Message{
		ID: "m1", RoomID: "a room.*>ü/", Seq: 7, UserID: "ann", ClientID: "c1", Type: plugin.RichText,
		Content: []byte("<b>hi</b>"), Metadata: map[string]string{"k": "v"}, Time: at,
	})
	observe(t, e, plugin.Message{ID: "m2", RoomID: "hall", UserID: "ann", Type: 77, Content: []byte{0xff, 0}, Time: at})
	for _, kind := range []plugin.RoomEventKind{plugin.Joined, plugin.Left, 99} {
		if err := e.ObserveRoom(t.Context(), plugin.RoomEvent{Kind: kind, RoomID: "hall", UserID: "bob", Nickname: "Bob", Role: "admin", Time: at}); err != nil {
			t.Fatal(err)
		}
	}
	js := s.connect()
	got := read(t, js, "hermod.rooms.>", 4)
	first := got[0]
	if first.subject != "hermod.rooms.a%20room%2E%2A%3E%C3%BC%2F.message" || first.msgID != "m1" || first.Kind != "message" || first.ID != "m1" ||
		first.RoomID != "a room.*>ü/" || first.Seq != 7 || first.UserID != "ann" || first.ClientID != "c1" || first.Type != "rich_text" ||
		first.Text != "<b>hi</b>" || first.Content != nil || first.Metadata["k"] != "v" || !first.Time.Equal(at) {
		t.Errorf("the first is %+v", first)
	}
	if name, err := url.PathUnescape(strings.Split(first.subject, ".")[2]); err != nil || name != first.RoomID {
		t.Errorf("the room of its subject is %q, error %v", name, err)
	}
	if second := got[1]; second.Type != "77" || string(second.Content) != "\xff\x00" || second.Text != "" || second.Seq != 0 {
		t.Errorf("the second is %+v", second)
	}
	for i, kind := range []string{"joined", "left"} {
		if v := got[2+i]; v.subject != "hermod.rooms.hall."+kind || v.Kind != kind || v.UserID != "bob" || v.Nickname != "Bob" || v.Role != "admin" || !v.Time.Equal(at) {
			t.Errorf("%s is %+v", kind, v)
		}
	}
	if only := read(t, js, "hermod.rooms.*.left", 1); only[0].Kind != "left" {
		t.Errorf("the filter finds %+v", only)
	}
}

// What is told twice is stored once.
func TestRepetitionsAreStoredOnce(t *testing.T) {
	t.Parallel()
	s := startNATS(t, nil)
	e := s.started(nil)
	for range 3 {
		observe(t, e, said(1))
	}
	observe(t, e, said(2))
	js := s.connect()
	read(t, js, "hermod.rooms.>", 2)
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := stored(t, js); n != 2 {
		t.Errorf("%d events are stored; want 2", n)
	}
}

// An outage that the window can hold loses nothing, repeats nothing and keeps the order, whether events were on their way or
// not.
func TestOutageLosesNothing(t *testing.T) {
	t.Parallel()
	s := startNATS(t, func(o *server.Options) { o.SyncAlways = true })
	e := s.started(func(c *natsexport.Config) { c.AckTimeout = time.Second })
	const events = 400
	for seq := 1; seq <= events; seq++ {
		switch seq {
		case 100:
			s.stop()
		case 250: // the window holds those between
			s.start()
		}
		observe(t, e, said(seq))
	}
	js := s.connect()
	for i, v := range read(t, js, "hermod.rooms.>", events) {
		if v.Seq != int64(i+1) {
			t.Fatalf("event %d has seq %d", i+1, v.Seq)
		}
	}
	if err := e.stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := stored(t, js); n != events {
		t.Errorf("%d events are stored; want %d", n, events)
	}
}

// door lets connections in, or turns them away and says so.
type door struct {
	shut   atomic.Bool
	turned chan struct{}
}

// Check implements server.Authentication.
func (d *door) Check(server.ClientAuthentication) bool {
	if !d.shut.Load() {
		return true
	}
	select {
	case d.turned <- struct{}{}:
	default:
	}
	return false
}

// A server that turns the node away for a while, as when credentials are exchanged, is an outage as any other: the export goes on
// when it is let in again.
func TestRefusedCredentialsAreTriedAgain(t *testing.T) {
	t.Parallel()
	d := &door{turned: make(chan struct{}, 1)}
	s := startNATS(t, func(o *server.Options) { o.CustomClientAuthentication = d })
	e := s.started(nil)
	observe(t, e, said(1))
	read(t, s.connect(nats.NoReconnect()), "hermod.rooms.>", 1)
	s.stop()
	d.shut.Store(true)
	s.start()
	observe(t, e, said(2))
	for n := range 4 {
		select {
		case <-d.turned:
		case <-time.After(patience):
			t.Fatalf("the node has tried %d times to be let in, and does not try again", n)
		}
	}
	d.shut.Store(false)
	if v := read(t, s.connect(), "hermod.rooms.>", 2)[1]; v.ID != "m2" {
		t.Errorf("the second event is %+v", v)
	}
}

// When the window is full the node is told, as soon as the call's context is done.
func TestFullWindowIsToldOf(t *testing.T) {
	t.Parallel()
	s := startNATS(t, nil)
	e := s.started(func(c *natsexport.Config) { c.InFlight = 3 })
	observe(t, e, said(1))
	read(t, s.connect(), "hermod.rooms.>", 1)
	s.stop()
	for seq := range 3 {
		observe(t, e, said(seq+2))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.ObserveMessage(ctx, said(5)); err == nil || !strings.Contains(err.Error(), "3 events wait") {
		t.Errorf("error %v; want one that says that 3 events wait", err)
	}
	stopping, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := e.stop(stopping); err == nil || !strings.Contains(err.Error(), "3 events are not in the stream HERMOD") {
		t.Errorf("error %v; want one that says what is lost", err)
	}
}

// The node starts without NATS, and exports when it is there.
func TestStartWithoutNATS(t *testing.T) {
	t.Parallel()
	s := startNATS(t, nil)
	at := s.running.ClientURL()
	s.stop()
	e, err := s.try(func(c *natsexport.Config) { c.CreateStream, c.URLs = true, []string{at} })
	if err != nil {
		t.Fatal(err)
	}
	observe(t, e, said(1))
	s.start()
	if got := read(t, s.awaitStream(), "hermod.rooms.>", 1); got[0].ID != "m1" {
		t.Errorf("the stream has %+v", got)
	}
}

// awaitStream waits until there is a stream.
func (s *natsServer) awaitStream() jetstream.JetStream {
	s.t.Helper()
	js := s.connect()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if _, err := js.Stream(s.t.Context(), "HERMOD"); err == nil {
			return js
		}
		if time.Now().After(deadline) {
			s.t.Fatal("there is no stream")
		}
	}
}

// What a stream will never take holds up nothing else.
func TestEventsThatAreNeverTaken(t *testing.T) {
	t.Parallel()
	s := startNATS(t, func(o *server.Options) { o.MaxPayload = 64 << 10 })
	js := s.connect()
	if _, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "HERMOD", Subjects: []string{"hermod.rooms.>"}, MaxMsgSize: 2 << 10}); err != nil {
		t.Fatal(err)
	}
	e := s.started(nil)
	observe(t, e, said(1))
	large := said(2)
	large.Content = []byte(strings.Repeat("x", 100<<10)) // for the server
	observe(t, e, large)
	large.ID, large.Content = "m3", large.Content[:4<<10] // for the stream
	observe(t, e, large)
	observe(t, e, said(4))
	if got := read(t, js, "hermod.rooms.>", 2); got[0].ID != "m1" || got[1].ID != "m4" {
		t.Errorf("the stream has %+v", got)
	}
}

func TestStreamsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	s := startNATS(t, nil)
	if _, err := s.try(func(*natsexport.Config) {}); err == nil || !strings.Contains(err.Error(), "there is no stream HERMOD; make it, with the subjects hermod.rooms.>") {
		t.Errorf("without a stream: %v", err)
	}
	if _, err := s.connect().CreateStream(t.Context(), jetstream.StreamConfig{Name: "HERMOD", Subjects: []string{"other.>"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.try(func(c *natsexport.Config) { c.CreateStream = true }); err == nil || !strings.Contains(err.Error(), `["other.>"]; hermod.rooms.> is required`) {
		t.Errorf("with the subjects of somebody else: %v", err)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	s := startNATS(t, func(o *server.Options) { o.Username, o.Password = "hermod", "secret" })
	e := s.started(func(c *natsexport.Config) { c.User, c.Password = "hermod", "secret" })
	observe(t, e, said(1))
	read(t, s.connect(nats.UserInfo("hermod", "secret")), "hermod.rooms.>", 1)
}

// Servers and node show each other certificates.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := authority.New(t)
	cert, key, ca := a.Files(t.TempDir(), authority.Leaf{Name: "nats"})
	s := startNATS(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{a.Pair(authority.Leaf{Name: "nats"})}, ClientCAs: a.Pool(),
			ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
		}
		o.TLSTimeout = patience.Seconds()
	})
	e := s.started(func(c *natsexport.Config) { c.CAFile, c.CertFile, c.KeyFile = ca, cert, key })
	observe(t, e, said(1))
	read(t, s.connect(nats.RootCAs(ca), nats.ClientCert(cert, key)), "hermod.rooms.>", 1)
}
