package servertest

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// seat is what a client knows of itself and of the session that it had.
type seat struct {
	user, session, ticket string
	last                  uint64 // number of the last frame that it has
}

// headers are what a client of im.v1 says of itself: on the connection, or in its first frame.
func (s seat) headers() map[string]string {
	h := map[string]string{"user-id": s.user, "capabilities": "ack,resume,greeting"}
	if s.session != "" {
		maps.Copy(h, map[string]string{"session-id": s.session, "resume-ticket": s.ticket, "last-link-seq": fmt.Sprint(s.last)})
	}
	return h
}

// language is what the rules need of a protocol in one of its formats.
type language interface {
	// opening is what a client says before its first frame, and in it, if it has one to send.
	opening(s seat, headers bool) (before map[string]string, first string)
	// request is a frame of a kind, or empty where the protocol needs none of it: login lets a client
	// in that has started, ask is answered with the text, ack acknowledges every frame up to the number in
	// it, bye ends the session.
	request(kind, text string) string
	// read is what a frame says.
	read(frame string) (event, error)
}

func (c Case) language() language {
	if c.Protocol == "im" {
		return imLanguage{json: c.Format == "json"}
	}
	return &gatewayLanguage{json: c.Format == "json"}
}

// event is what a frame is to a client.
type event struct {
	kind    string // greeting, push, answer, refusal
	link    uint64 // its number; 0: it is no part of the session
	text    string
	headers map[string]string // of a greeting
}

// client is a client with a session.
type client struct {
	t    *trial
	kind Case
	link link
	lang language
	seat
	resumed bool
	early   []event // what came before the greeting
}

// open starts a session of a user, or the one again that was.
func (t *trial) open(c Case, was seat) (*client, error) {
	t.Helper()
	lang := c.language()
	before, first := lang.opening(was, t.node.headers(c))
	l, err := t.dial(c, before)
	if err != nil {
		return nil, err
	}
	x := &client{t: t, kind: c, link: l, lang: lang, seat: was}
	if first != "" {
		if err := l.Send(first); err != nil {
			return nil, err
		}
	}
	if err := x.greeted(); err != nil || x.resumed {
		return x, err
	}
	if login := lang.request("login", ""); login != "" {
		if err := l.Send(login); err != nil {
			return nil, err
		}
		_, err = x.next("answer")
	}
	return x, err
}

// greeted reads until the node has said which session it is.
func (x *client) greeted() error {
	for {
		e, err := x.recv()
		switch {
		case err != nil:
			return err
		case e.kind == "refusal":
			return errors.New("refused: " + e.text)
		case e.kind != "greeting":
			x.early = append(x.early, e)
			continue
		}
		x.session, x.ticket = e.headers["session-id"], e.headers["resume-ticket"]
		if x.resumed = e.headers["resumed"] == "true"; !x.resumed {
			x.last = e.link // of a new session, whose numbers begin anew
		}
		return nil
	}
}

// must is open for clients that have to get in.
func (t *trial) must(c Case, was seat) *client {
	t.Helper()
	x, err := t.open(c, was)
	if err != nil {
		t.Fatalf("%v does not get in: %v", c, err)
	}
	return x
}

// newcomer is a client of the trial's kind that is new.
func (t *trial) newcomer() *client {
	t.Helper()
	return t.must(t.kind, seat{user: t.user()})
}

var errSilent = fmt.Errorf("nothing came within %v", patience)

// recv returns what the next frame says. Frames have their numbers one after another.
func (x *client) recv() (event, error) {
	type result struct {
		frame string
		err   error
	}
	done := make(chan result, 1)
	go func() {
		frame, err := x.link.Recv()
		done <- result{frame, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-time.After(patience):
		return event{}, errSilent
	}
	if r.err != nil {
		return event{}, r.err
	}
	e, err := x.lang.read(r.frame)
	if err != nil {
		return e, fmt.Errorf("%.60q: %w", r.frame, err)
	}
	fresh := e.kind == "greeting" && e.headers["resumed"] != "true"
	if e.link > 0 && !fresh {
		if e.link != x.last+1 {
			return e, fmt.Errorf("frame %d came after %d", e.link, x.last)
		}
		x.last = e.link
	}
	return e, nil
}

// next returns the next frame of a kind, and passes over heartbeats and the like, but over no push.
func (x *client) next(kind string) (event, error) {
	for {
		e, err := x.take()
		if err != nil {
			return e, err
		}
		if e.kind == kind {
			return e, nil
		}
		if e.kind == "push" {
			return e, fmt.Errorf("the push %.60q came instead of a %s", e.text, kind)
		}
	}
}

// take returns what came before the greeting, and then what comes.
func (x *client) take() (event, error) {
	if len(x.early) == 0 {
		return x.recv()
	}
	e := x.early[0]
	x.early = x.early[1:]
	return e, nil
}

// wantPushes reads pushes, which must be these in this order.
func (x *client) wantPushes(texts ...string) {
	x.t.Helper()
	for i, want := range texts {
		e, err := x.next("push")
		if err != nil || e.text != want {
			x.t.Fatalf("push %d of %d is %.60q, %v; want %.60q", i+1, len(texts), e.text, err, want)
		}
	}
}

// wantAnswer asks and is answered.
func (x *client) wantAnswer(text string) {
	x.t.Helper()
	x.send(x.lang.request("ask", text))
	e, err := x.next("answer")
	if err != nil || e.text != text {
		x.t.Fatalf("asked %q, answered %.60q, %v", text, e.text, err)
	}
}

func (x *client) send(frame string) {
	x.t.Helper()
	if err := x.link.Send(frame); err != nil {
		x.t.Fatalf("send: %v", err)
	}
}

// end reads until the connection ends and returns why.
func (x *client) end() error {
	x.t.Helper()
	for {
		if _, err := x.recv(); err != nil {
			return err
		}
	}
}

// wantEnd reads until the connection ends, which must be for a reason.
func (x *client) wantEnd(want transport.Disconnect) {
	x.t.Helper()
	err := x.end()
	if got, ok := errors.AsType[transport.Disconnect](err); !ok || got != want {
		x.t.Errorf("the client was told %+v, want %+v", err, want)
	}
}
