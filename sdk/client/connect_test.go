package client

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

func TestStreamMetadata(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		set   func(*Config)
		want  map[string]string // "" means absent
		hello bool              // the first frame says who it is
	}{
		{
			name: "user alone",
			set:  func(*Config) {},
			want: map[string]string{keyUserID: "alice", keyRoomID: "", keyCapabilities: "ack,resume,batch", keyAuthorization: "", keyDeviceID: "", keySessionID: ""},
		},
		{
			name: "everything",
			set: func(c *Config) {
				c.DefaultRoomID, c.DeviceID, c.Token = "lobby", "phone", "secret"
			},
			want: map[string]string{keyUserID: "alice", keyRoomID: "lobby", keyDeviceID: "phone", keyAuthorization: "Bearer secret"},
		},
		{
			name: "a source of tokens wins over the token",
			set: func(c *Config) {
				c.Token = "old"
				c.TokenSource = func(context.Context) (string, error) { return "new", nil }
			},
			want: map[string]string{keyAuthorization: "Bearer new"},
		},
		{
			name:  "ids that metadata cannot carry",
			set:   func(c *Config) { c.UserID, c.DefaultRoomID = "张三", "大厅" },
			want:  map[string]string{keyUserID: "", keyRoomID: ""},
			hello: true,
		},
		{
			name:  "a room that metadata cannot carry",
			set:   func(c *Config) { c.DefaultRoomID = "大厅" },
			want:  map[string]string{keyUserID: "", keyRoomID: ""},
			hello: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			cfg, _ := p.config()
			tt.set(cfg)
			_, ps := p.connect(t, cfg)
			for key, want := range tt.want {
				if got := first(ps.md, key); got != want {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
			if !tt.hello {
				return
			}
			req := wait(t, ps.in, "the first frame")
			if req.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT || req.GetUserId() != cfg.UserID || req.GetRoomId() != cfg.DefaultRoomID {
				t.Errorf("the first frame is %v", req)
			}
		})
	}
}

func TestNewClientRefusesBadConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]*Config{
		"no Config":         nil,
		"UserID":            {},
		"RequestTimeout":    {UserID: "alice", RequestTimeout: -1},
		"UserID \"a\\xff\"": {UserID: "a\xff"},
		"DefaultRoomID":     {UserID: "alice", DefaultRoomID: "\xff"},
		"DeviceID":          {UserID: "alice", DeviceID: "телефон"}, // without it she would share one with her other devices
	}
	for want, cfg := range tests {
		if _, err := NewClient(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewClient(%+v): %v, want it to name %q", cfg, err, want)
		}
	}
}

func TestZeroConfigGetsDefaults(t *testing.T) {
	t.Parallel()
	c, err := NewClient(&Config{UserID: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	if c.cfg.HeartbeatInterval != want.HeartbeatInterval || c.cfg.RequestTimeout != 30*time.Second ||
		c.cfg.ConnectTimeout != 10*time.Second || c.cfg.MaxRetries != 3 || c.cfg.RetryInterval != 5*time.Second ||
		c.cfg.ServiceName != "im-service" || c.cfg.Backoff == nil {
		t.Errorf("defaults: %+v", c.cfg)
	}
	if err := c.Connect(); !errors.Is(err, discovery.ErrNoService) {
		t.Errorf("Connect without addresses: %v, want ErrNoService", err)
	}
	if err := c.SendTextMessage("lobby", "hi"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("send before Connect: %v", err)
	}
	if _, err := c.JoinRoom("lobby", nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("join before Connect: %v", err)
	}
	if err := c.Disconnect(); err != nil {
		t.Errorf("Disconnect before Connect: %v", err)
	}
}

func TestConnectReturnsWhyNot(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		end   func(*peerStream)
		check func(error) bool
	}{
		{
			name:  "status",
			end:   func(ps *peerStream) { ps.end(status.Error(codes.Unauthenticated, "no token")) },
			check: func(err error) bool { return status.Code(err) == codes.Unauthenticated },
		},
		{
			name: "disconnect code",
			end: func(ps *peerStream) {
				ps.end(status.Error(codes.PermissionDenied, "no"), keyDisconnectCode, "4003", keyDisconnectReason, "banned")
			},
			check: func(err error) bool {
				closed, ok := errors.AsType[*DisconnectError](err)
				return ok && closed.Code == 4003 && closed.Reason == "banned" && status.Code(err) == codes.PermissionDenied
			},
		},
		{
			name:  "clean end",
			end:   func(ps *peerStream) { ps.end(nil) },
			check: func(err error) bool { return errors.Is(err, io.EOF) },
		},
		{
			name:  "no answer",
			end:   func(*peerStream) {},
			check: func(err error) bool { return errors.Is(err, context.DeadlineExceeded) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPeer(t)
			cfg, ev := p.config()
			cfg.ConnectTimeout = 300 * time.Millisecond
			if tt.name != "no answer" {
				cfg.ConnectTimeout = patience
			}
			c, err := NewClient(cfg)
			if err != nil {
				t.Fatal(err)
			}
			connected := make(chan error, 1)
			go func() { connected <- c.Connect() }()
			tt.end(p.next(t))
			if err := wait(t, connected, "Connect"); !tt.check(err) {
				t.Errorf("Connect: %v", err)
			}
			if c.IsConnected() || len(ev.connects) > 0 {
				t.Error("the client thinks it is connected")
			}
		})
	}
}

func TestConnectTwiceAndAgain(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	wait(t, ev.connects, "OnConnect")
	if err := c.Connect(); err != nil || !c.IsConnected() {
		t.Errorf("second Connect: %v", err)
	}
	p.disconnect(t, c)
	p.disconnect(t, c)
	if ps.recvErr != io.EOF {
		t.Errorf("the server saw %v, want a clean end", ps.recvErr)
	}
	if err := wait(t, ev.disconnects, "OnDisconnect"); err != ErrDisconnected {
		t.Errorf("OnDisconnect(%v)", err)
	}
	if c.IsConnected() {
		t.Error("connected after Disconnect")
	}

	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	again := p.next(t)
	if s := first(again.md, keySessionID); s != "" {
		t.Errorf("a session that was ended is resumed: %s", s)
	}
	again.accept(t, "s2", false)
	if err := wait(t, connected, "Connect"); err != nil {
		t.Errorf("Connect after Disconnect: %v", err)
	}
	if len(ev.disconnects) > 0 || len(ev.errors) > 0 {
		t.Error("more events than there were connections")
	}
}

func TestDisconnectWhileConnecting(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	p.next(t) // and no answer
	p.disconnect(t, c)
	if err := wait(t, connected, "Connect"); !errors.Is(err, ErrDisconnected) {
		t.Errorf("Connect: %v, want ErrDisconnected", err)
	}
}

func TestIdentityOfCalls(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	cfg.Token = "secret"
	c, _ := p.connect(t, cfg)
	info, err := c.GetRoomInfo("lobby")
	if err != nil {
		t.Fatal(err)
	}
	if info.GetRoomInfo().GetName() != "alice" || info.GetRoomInfo().GetDescription() != "Bearer secret" {
		t.Errorf("the call said %v", info.GetRoomInfo())
	}
}

func TestHeaderSafe(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{"": true, "alice": true, "a b": true, " a": false, "a ": false, "é": false, "a\n": false} {
		if headerSafe(s) != want {
			t.Errorf("headerSafe(%q) = %v", s, !want)
		}
	}
}

func TestDisconnectErrorNeedsACode(t *testing.T) {
	t.Parallel()
	if err, ok := disconnectError(metadata.Pairs(keyDisconnectReason, "y"), errors.New("x")); ok {
		t.Errorf("got %v", err)
	}
}

// TestReasonsInAnyWritingArrive: a service may close a session with words in any language.
func TestReasonsInAnyWritingArrive(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		trailer metadata.MD
		want    string
	}{
		"printable ASCII": {metadata.Pairs(keyDisconnectReason, "banned"), "banned"},
		"anything else":   {metadata.Pairs(keyDisconnectReason, "????", keyDisconnectText, "永久封禁"), "永久封禁"},
	} {
		tt.trailer.Set(keyDisconnectCode, "4600")
		closed, ok := disconnectError(tt.trailer, nil)
		if !ok || closed.Reason != tt.want || !closed.Final() {
			t.Errorf("%s: got %v, want the reason %q", name, closed, tt.want)
		}
	}
}
