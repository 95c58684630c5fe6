package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/service"
)

// wire is a Deliverer that keeps the frames of each room as a client gets them whose node is another one.
type wire struct {
	live
	mu     sync.Mutex
	frames map[biz.RoomID][][]byte
	failed error
}

func (w *wire) Deliver(d *biz.Draft) {
	frame, err := w.frame(&d.Message)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames[d.Room] = append(w.frames[d.Room], frame)
	w.failed = errors.Join(w.failed, err)
}

func (w *wire) frame(m *biz.Message) ([]byte, error) {
	b, err := protocol.Codec{}.Append(nil, m)
	if err != nil {
		return nil, err
	}
	payload, err := protocol.Codec{}.Decode(b)
	if err != nil {
		return nil, err
	}
	response, err := im.Response(payload)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(response)
}

func (w *wire) of(t *rapid.T, room biz.RoomID, from int) (list []*imv1.MessageResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		t.Fatal(w.failed)
	}
	for _, frame := range w.frames[room][min(from, len(w.frames[room])):] {
		m := &imv1.MessageResponse{}
		if err := proto.Unmarshal(frame, m); err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
	return list
}

// stage is a node on which histories are played.
type stage struct {
	s         *service.IM
	log       *data.MessageLog
	revisions *biz.Revisions
	wire      *wire
	rooms     *biz.Rooms
	audios    *data.Audios
	shown     atomic.Int64 // times that a transcript had a message
	stop      func() error
}

func newStage(t *testing.T) *stage {
	db, err := data.Open(t.Context(), data.Options{Dir: t.TempDir(), Synchronous: "normal"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{frames: map[biz.RoomID][][]byte{}}
	log, err := data.NewMessageLog(db, w, data.LogOptions{Events: im.EventContent}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	rooms := data.NewRooms(db)
	inRooms := biz.NewRooms(rooms, data.NewMembers(db), log, w, w, biz.RoomRules{AutoCreate: true, MaxPerUser: 1 << 20, Defaults: biz.DefaultRoomConfig()})
	messages := biz.NewMessages(rooms, log, w, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000})
	history := biz.NewHistory(data.NewHistory(db))
	revisions := biz.NewRevisions(messages, history, data.NewRevisions(db), imcall.Transcribed, quiet)
	st := &stage{log: log, revisions: revisions, wire: w, rooms: inRooms, audios: data.NewAudios(db), s: service.NewIM(service.IMRules{
		Rooms: inRooms, Messages: messages, Revisions: revisions, History: history,
	}, nil, readiness{}, quiet)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 3)
	for _, run := range []func(context.Context) error{log.Run, revisions.Run, revisions.Run} { // as on two nodes
		go func() { done <- run(ctx) }()
	}
	st.stop = func() error {
		cancel()
		return errors.Join(<-done, <-done, <-done, db.Close())
	}
	return st
}

// mostMoments is how long a history may be.
const mostMoments = 12

// words are what is said.
var words = []string{"a", "b", "c", "d"}

// actors are an admin, a moderator and users.
var actors = []biz.UserID{"admin", "mod", "u", "v"}

func as(user biz.UserID) context.Context {
	return biz.WithIdentity(context.Background(), biz.Identity{User: user})
}

// play is one history in a room of its own, and the clients that follow it.
type play struct {
	*stage
	number  int
	room    biz.RoomID
	acts    [][]func() error // what happens at one time
	clients []*client
	returns [][]int // which clients come back, by time
}

func (p *play) begin(t *rapid.T) {
	for i, u := range actors {
		u = p.name(u)
		req := biz.JoinRequest{Room: p.room, User: u}
		if i == 1 {
			req.Role = "moderator"
		}
		if _, err := p.rooms.Join(context.Background(), biz.Identity{User: u, Roles: []string{biz.RoleService}}, req); err != nil {
			t.Fatal(err)
		}
	}
	for _, word := range words {
		a := biz.Audio{ID: p.recording(word), Room: p.room, User: p.name("u"), Format: "opus", CreatedAt: time.Now()}
		if err := p.audios.Add(context.Background(), a, false); err != nil {
			t.Fatal(err)
		}
	}
}

// recording is the id of the recording of a word in the play's room.
func (p *play) recording(word string) biz.AudioID {
	return biz.AudioID(fmt.Sprintf("019ab000-0000-7000-8000-%08x%04x", p.number, word))
}

// name is that of somebody who is in no other room.
func (p *play) name(user biz.UserID) biz.UserID { return user + " of " + biz.UserID(p.room) }

// draw makes a history up. It names messages that may not be there, or not any more.
func (p *play) draw(t *rapid.T) {
	for range rapid.IntRange(4, mostMoments).Draw(t, "moments") {
		var together []func() error
		for range rapid.IntRange(1, 3).Draw(t, "at once") {
			together = append(together, p.drawAct(t))
		}
		p.acts = append(p.acts, together)
		p.returns = append(p.returns, rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(t, "back"))
	}
	p.clients = append(p.clients, &client{play: p, online: true})
	for range 3 {
		p.clients = append(p.clients, &client{play: p, way: rapid.IntRange(0, 3).Draw(t, "way"), limit: rapid.Int32Range(1, 9).Draw(t, "limit")})
	}
	for _, c := range p.clients {
		c.held = timeline{}
	}
}

func (p *play) drawAct(t *rapid.T) func() error {
	by := rapid.SampledFrom(actors).Draw(t, "by")
	ctx, room, seq := as(p.name(by)), string(p.room), rapid.Int64Range(1, 12).Draw(t, "seq")
	word := rapid.SampledFrom(words).Draw(t, "word")
	metadata := map[string]string{"said": word}
	mentions := rapid.SampledFrom([][]string{nil, nil, {string(p.name("u"))}, {string(p.name("v")), "nobody"}}).Draw(t, "mentions")
	switch rapid.IntRange(0, 9).Draw(t, "act") {
	case 0, 1, 2:
		req := &imv1.SendMessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(word), Mentions: mentions}
		req.ExpiresInSeconds = rapid.SampledFrom([]int64{0, 0, 1, 2, 5, 3600}).Draw(t, "expires")
		req.ReplyToSeq = rapid.SampledFrom([]int64{0, 0, seq}).Draw(t, "reply")
		if word == "a" {
			req.Metadata = metadata
		}
		return func() error { _, err := p.s.SendMessage(ctx, req); return err }
	case 3:
		content, err := proto.Marshal(&imv1.AudioContent{AudioId: string(p.recording(word))})
		if err != nil {
			t.Fatal(err)
		}
		req := &imv1.SendMessageRequest{RoomId: room, Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, Content: content}
		return func() error { _, err := p.s.SendMessage(ctx, req); return err }
	case 4:
		tr := &biz.Transcript{Audio: p.recording(word), Text: "said " + word}
		return func() error {
			heard, err := p.revisions.Transcribed(ctx, p.room, tr)
			p.shown.Add(int64(heard))
			return err
		}
	case 5, 6:
		req := &imv1.EditMessageRequest{RoomId: room, Seq: seq, Content: []byte("edited " + word), Metadata: metadata, Mentions: mentions}
		return func() error { _, err := p.s.EditMessage(ctx, req); return err }
	case 7:
		req := &imv1.RecallMessageRequest{RoomId: room, Seq: seq, Reason: word}
		return func() error { _, err := p.s.RecallMessage(ctx, req); return err }
	default:
		req := &imv1.ReactRequest{RoomId: room, Seq: seq, Reaction: word, Remove: rapid.Bool().Draw(t, "remove")}
		return func() error { _, err := p.s.React(ctx, req); return err }
	}
}

// happen has a moment of the history happen, of which nothing may be the node's fault.
func (p *play) happen(moment int, acting *sync.WaitGroup, t *rapid.T) {
	if moment >= len(p.acts) {
		return
	}
	for _, act := range p.acts[moment] {
		acting.Go(func() {
			if err := act(); err != nil && kerrors.FromError(err).GetCode() >= http.StatusInternalServerError {
				t.Errorf("%v", err)
			}
		})
	}
}

// run plays histories at the same time, with a second between their moments.
func run(t *rapid.T, plays []*play) {
	for moment := range mostMoments {
		var acting sync.WaitGroup
		for _, p := range plays {
			p.happen(moment, &acting, t)
		}
		acting.Wait()
		for _, p := range plays {
			for _, c := range p.back(moment) {
				p.clients[c].comeBack(t)
			}
		}
		time.Sleep(time.Second)
	}
	time.Sleep(10 * time.Second) // what expires soon is erased
}

// back are the clients that come back at a moment.
func (p *play) back(moment int) []int {
	if moment >= len(p.returns) {
		return nil
	}
	return p.returns[moment]
}

// compare fails unless all clients hold the same, and what they would read who come now.
func (p *play) compare(t *rapid.T) {
	fresh := &client{play: p, held: timeline{}, way: wayHistory, limit: 500}
	clients := append(slices.Clone(p.clients), fresh)
	for _, c := range clients {
		c.comeBack(t)
	}
	want := clients[0].held.bytes(t)
	for i, c := range clients[1:] {
		if got := c.held.bytes(t); !bytes.Equal(got, want) {
			t.Fatalf("room %s: client %d, who reads by %d, has\n%v\nand who was there\n%v", p.room, i+1, c.way, c.held, clients[0].held)
		}
	}
}

// client is one that follows a room, always or at times.
type client struct {
	*play
	held   timeline
	online bool
	way    int   // of coming back
	limit  int32 // of a page
	frames int   // that it has got, while online
	cursor int64
}

// The ways of coming back.
const (
	wayHistory = iota
	wayBackwards
	waySync
	wayBacklog
)

func (c *client) comeBack(t *rapid.T) {
	if c.online {
		for _, m := range c.wire.of(t, c.room, c.frames) {
			c.frames++
			c.take(t, m)
		}
		return
	}
	for _, m := range c.missed(t) {
		c.take(t, m)
	}
}

func (c *client) take(t *rapid.T, m *imv1.MessageResponse) {
	c.held.apply(t, m)
	c.cursor = max(c.cursor, m.GetSeq())
}

// missed is what came since the client was there.
func (c *client) missed(t *rapid.T) []*imv1.MessageResponse {
	var all []*imv1.MessageResponse
	for after, before := c.cursor, int64(1<<40); ; {
		page, err := c.page(after, before)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page...)
		if c.way == wayBackwards {
			before = page[0].GetSeq()
		} else {
			after = page[len(page)-1].GetSeq()
		}
	}
}

// page is the next one; io.EOF: there is none.
func (c *client) page(after, before int64) (page []*imv1.MessageResponse, err error) {
	switch c.way {
	case wayHistory, wayBackwards:
		req := &imv1.HistoryRequest{RoomId: string(c.room), AfterSeq: &after, Limit: c.limit}
		if c.way == wayBackwards {
			req.AfterSeq, req.BeforeSeq = nil, &before
		}
		var resp *imv1.HistoryResponse
		if resp, err = c.s.History(as(c.name("u")), req); err == nil {
			page = resp.GetMessages()
		}
	case waySync:
		page, err = c.sync(after)
	case wayBacklog:
		var stored []*biz.Message
		stored, err = c.log.Page(context.Background(), c.room, after, int(c.limit))
		for _, m := range stored {
			page = append(page, imcall.Message(m))
		}
	}
	if err == nil && (len(page) == 0 || page[len(page)-1].GetSeq() <= after) {
		err = io.EOF
	}
	return page, err
}

// sync asks for all that the user has missed.
func (c *client) sync(after int64) (all []*imv1.MessageResponse, err error) {
	req := &imv1.SyncRequest{Cursors: map[string]int64{string(c.room): after}, Limit: c.limit}
	for {
		resp, err := c.s.Sync(as(c.name("u")), req)
		if err != nil {
			return nil, err
		}
		for _, r := range resp.GetRooms() {
			all = append(all, r.GetMessages()...)
		}
		if req.PageToken = resp.GetNextPageToken(); req.GetPageToken() == "" {
			return all, nil
		}
	}
}

// TestEveryEventReplaysTheSame: over 1,000 histories, in which several people at a time send, edit, recall, react,
// reply and are transcribed, and messages expire, all clients end with the same, byte for byte: who was there, who
// came back at times by whatever call, and who comes at the end.
func TestEveryEventReplaysTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		st := newStage(t)
		histories := 0
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) { // which would ask a test for its deadline

			plays := make([]*play, 10)
			for i := range plays {
				histories++
				plays[i] = &play{stage: st, number: histories, room: biz.RoomID(fmt.Sprint("room", histories))}
				plays[i].draw(rt)
			}
			for _, p := range plays {
				p.begin(rt)
			}
			run(rt, plays)
			for _, p := range plays {
				p.compare(rt)
			}
		})
		if err := st.stop(); err != nil {
			t.Error(err)
		}
		if histories < 1000 && !t.Failed() {
			t.Errorf("only %d histories", histories)
		}
		if st.shown.Load() == 0 {
			t.Error("no transcript had a message")
		}
	})
}
