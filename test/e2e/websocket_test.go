package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// page is what a script in a browser is: it knows JSON, sets no headers and reads none.
type page struct {
	t    *testing.T
	conn *websocket.Conn
}

// note is the part of a message that the page looks at. Content is base64, as protobuf JSON has it.
type note struct {
	Type     string
	RoomID   string `json:"roomId"`
	Content  []byte
	Seq      string
	LinkSeq  string
	Metadata map[string]string
}

func (n *Node) open(t *testing.T, query url.Values) *page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+n.HTTP+"/im?"+query.Encode(), &websocket.DialOptions{Subprotocols: []string{"im.v1.json"}}) //nolint:bodyclose // the library has closed it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() }) // may be closed already
	return &page{t: t, conn: conn}
}

func (p *page) send(message map[string]any) {
	p.t.Helper()
	data, err := json.Marshal(message)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.conn.Write(p.t.Context(), websocket.MessageText, data); err != nil {
		p.t.Fatal(err)
	}
}

// next reads the next message of a type.
func (p *page) next(kind string) note {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		_, data, err := p.conn.Read(ctx)
		if err != nil {
			p.t.Fatalf("instead of %s: %v", kind, err)
		}
		var n note
		if err := json.Unmarshal(data, &n); err != nil {
			p.t.Fatalf("%v in %s", err, data)
		}
		if n.Type == "MESSAGE_TYPE_"+kind {
			return n
		}
	}
}

// TestAPageTalksAndResumes is an evening of a page: greeted, talked to, cut off, and back.
func TestAPageTalksAndResumes(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := n.open(t, url.Values{"user-id": {"alice"}, "room-id": {"lobby"}, "capabilities": {"ack,resume,greeting"}})
	greeting := alice.next("HEARTBEAT")
	if greeting.Metadata["session-id"] == "" || greeting.Metadata["resume-ticket"] == "" || greeting.LinkSeq != "" {
		t.Errorf("greeted with %+v", greeting)
	}
	bob := n.open(t, url.Values{"user-id": {"bob"}, "room-id": {"lobby"}, "capabilities": {"ack"}})
	bob.send(map[string]any{"messageId": "1", "type": "MESSAGE_TYPE_TEXT", "content": []byte("hello")})
	var ack struct {
		OriginalMessageID string `json:"originalMessageId"`
		Success           bool
	}
	if err := json.Unmarshal(bob.next("ACK").Content, &ack); err != nil || ack.OriginalMessageID != "1" || !ack.Success {
		t.Errorf("bob's ACK: %+v, %v", ack, err)
	}
	got := alice.next("TEXT")
	if string(got.Content) != "hello" || got.Seq != "1" || got.LinkSeq == "" {
		t.Errorf("alice got %+v", got)
	}
	_ = alice.conn.CloseNow() // the network is gone
	bob.send(map[string]any{"messageId": "2", "type": "MESSAGE_TYPE_TEXT", "content": []byte("are you there?")})
	bob.next("ACK")

	back := n.open(t, url.Values{
		"user-id": {"alice"}, "capabilities": {"ack,resume,greeting"}, "last-link-seq": {got.LinkSeq},
		"session-id": {greeting.Metadata["session-id"]}, "resume-ticket": {greeting.Metadata["resume-ticket"]},
	})
	if g := back.next("HEARTBEAT"); g.Metadata["resumed"] != "true" {
		t.Errorf("greeted with %+v", g)
	}
	if m := back.next("TEXT"); string(m.Content) != "are you there?" || m.Seq != "2" {
		t.Errorf("after the resume: %+v", m)
	}
	if err := back.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
}

// TestAStopClosesWebSockets stops a node with open connections, of which some do not read: it ends in
// time, and the others are told to come back.
func TestAStopClosesWebSockets(t *testing.T) {
	t.Parallel()
	n := Start(t, "server: {stop: {drain: 200ms}}")
	var open []*page
	for range 20 {
		open = append(open, n.open(t, url.Values{"user-id": {"alice"}, "room-id": {"lobby"}}))
	}
	silent, _, err := websocket.Dial(t.Context(), "ws://"+n.HTTP+"/im", nil) //nolint:bodyclose // the library has closed it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.CloseNow() }()
	var wg sync.WaitGroup
	for _, p := range open[:10] {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for {
				_, _, err := p.conn.Read(ctx)
				var closed websocket.CloseError
				if err == nil {
					continue
				}
				if !errors.As(err, &closed) || closed.Code != 3000 || closed.Reason == "" {
					t.Errorf("closed with %v", err)
				}
				return
			}
		})
	}
	start := time.Now()
	n.Stop()
	wg.Wait()
	if took := time.Since(start); took > 14*time.Second {
		t.Errorf("it took %v", took)
	}
}
