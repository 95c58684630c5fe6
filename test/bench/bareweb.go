package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

const (
	flushWorkers  = 2
	webBufferSize = 512 // of reading, for a connection at rest
	webWriteMost  = 64 << 10
	webProtocol   = "im.v1.proto"
)

// webLoop is the im.v1 stream over WebSocket and nothing around it: what one would write by hand for a
// room that is fast and forgets. A message is encoded once, header and all; two workers write all that
// a member has waiting in one go. There is no store, no identity, no membership, no resume, no ping
// and no slow client.
type webLoop struct {
	mu        sync.RWMutex
	rooms     map[string]*webRoom
	users     map[string]*webMember // for pushes: one connection of each
	everybody webRoom               // for broadcasts
	dirty     chan *webMember
}

type webRoom struct {
	mu      sync.Mutex
	members atomic.Pointer[[]*webMember]
}

// webMember is one connection.
type webMember struct {
	conn   net.Conn
	user   string
	room   *webRoom
	ack    bool
	mu     sync.Mutex
	queue  [][]byte
	queued bool
	local  uint64
}

// maxDirty is room for every member that could wait at a time.
const maxDirty = 1 << 16

func newWebLoop() *webLoop {
	l := &webLoop{rooms: map[string]*webRoom{}, users: map[string]*webMember{}, dirty: make(chan *webMember, maxDirty)}
	l.everybody.members.Store(&[]*webMember{})
	return l
}

// listen serves until ctx ends.
func (l *webLoop) listen(ctx context.Context, lis net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for range flushWorkers {
		wg.Go(func() { l.flush(ctx) })
	}
	defer context.AfterFunc(ctx, func() { _ = lis.Close() })() // Accept tells of it
	for {
		conn, err := lis.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		wg.Go(func() {
			defer func() { _ = conn.Close() }()                         // it has ended one way or another
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })() // its reader returns
			_ = l.serve(conn)                                           // the client went away: nothing to tell it
		})
	}
}

func (l *webLoop) serve(conn net.Conn) error {
	m := &webMember{conn: conn}
	var target string
	u := ws.Upgrader{
		OnRequest: func(uri []byte) error { target = string(uri); return nil },
		Protocol:  func(p []byte) bool { return string(p) == webProtocol },
	}
	if _, err := u.Upgrade(conn); err != nil {
		return err
	}
	at, err := url.Parse(target)
	if err != nil {
		return err
	}
	q := at.Query()
	m.user = q.Get("user-id")
	m.ack = slices.Contains(strings.Split(q.Get("capabilities"), ","), "ack")
	m.room = l.room(q.Get("room-id"))
	m.room.add(m)
	defer m.room.remove(m)
	l.everybody.add(m)
	defer l.everybody.remove(m)
	l.mu.Lock()
	l.users[m.user] = m
	l.mu.Unlock()
	return l.read(m)
}

// pushUser queues a frame for a user, and tells whether he has ever been here.
func (l *webLoop) pushUser(user string, frame []byte) bool {
	l.mu.RLock()
	m := l.users[user]
	l.mu.RUnlock()
	if m != nil {
		l.push(m, frame)
	}
	return m != nil
}

// pushAll queues a frame for everybody, and tells for how many.
func (l *webLoop) pushAll(frame []byte) int {
	all := *l.everybody.members.Load()
	for _, m := range all {
		l.push(m, frame)
	}
	return len(all)
}

func (l *webLoop) room(id string) *webRoom {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.rooms[id]
	if r == nil {
		r = &webRoom{}
		r.members.Store(&[]*webMember{})
		l.rooms[id] = r
	}
	return r
}

func (r *webRoom) add(m *webMember) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(slices.Clone(*r.members.Load()), m)
	r.members.Store(&all)
}

func (r *webRoom) remove(m *webMember) {
	r.mu.Lock()
	defer r.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(*r.members.Load()), func(o *webMember) bool { return o == m })
	r.members.Store(&left)
}

// read handles what a client sends until its connection ends.
func (l *webLoop) read(m *webMember) error {
	in := &smallReader{src: m.conn}
	var scratch [ws.MaxHeaderSize]byte
	for {
		h, err := ws.ReadHeaderBuffer(in, scratch[:0])
		if err != nil {
			return err
		}
		body := make([]byte, h.Length)
		if _, err := io.ReadFull(in, body); err != nil {
			return err
		}
		ws.Cipher(body, h.Mask, 0)
		req := &imv1.MessageRequest{}
		if err := proto.Unmarshal(body, req); err != nil {
			return err
		}
		if err := l.handle(m, req); err != nil {
			return err
		}
	}
}

func (l *webLoop) handle(m *webMember, req *imv1.MessageRequest) error {
	switch req.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
		return l.reply(m, &imv1.MessageResponse{Type: req.GetType(), Timestamp: timestamppb.Now()})
	case imv1.MessageType_MESSAGE_TYPE_ACK:
		return nil
	}
	m.local++
	frame, err := webFrame(&imv1.MessageResponse{
		MessageId: fmt.Sprintf("%s-%d", m.user, m.local), FromUserId: m.user, RoomId: req.GetRoomId(),
		Type: req.GetType(), Content: req.GetContent(), Metadata: req.GetMetadata(), Timestamp: timestamppb.Now(),
	})
	if err != nil {
		return err
	}
	for _, other := range *m.room.members.Load() {
		if other != m {
			l.push(other, frame)
		}
	}
	if !m.ack {
		return nil
	}
	content, err := proto.Marshal(&imv1.AckContent{OriginalMessageId: req.GetMessageId(), Success: true})
	if err != nil {
		return err
	}
	return l.reply(m, &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_ACK, Content: content, Timestamp: timestamppb.Now()})
}

func (l *webLoop) reply(m *webMember, resp *imv1.MessageResponse) error {
	frame, err := webFrame(resp)
	if err == nil {
		l.push(m, frame)
	}
	return err
}

func webFrame(resp *imv1.MessageResponse) ([]byte, error) {
	body, err := proto.Marshal(resp)
	if err != nil {
		return nil, err
	}
	return ws.CompileFrame(ws.NewBinaryFrame(body))
}

func (l *webLoop) push(m *webMember, frame []byte) {
	m.mu.Lock()
	m.queue = append(m.queue, frame)
	wake := !m.queued
	m.queued = true
	m.mu.Unlock()
	if wake {
		l.dirty <- m
	}
}

// flush writes, for one member after another, all that waits.
func (l *webLoop) flush(ctx context.Context) {
	buf := make([]byte, 0, webWriteMost)
	var batch [][]byte
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-l.dirty:
			m.mu.Lock()
			batch, m.queue = append(batch[:0], m.queue...), m.queue[:0]
			m.mu.Unlock()
			buf = buf[:0]
			for _, f := range batch {
				buf = append(buf, f...)
			}
			if _, err := m.conn.Write(buf); err != nil {
				_ = m.conn.Close() // its reader sees it as well
			}
			m.mu.Lock()
			m.queued = len(m.queue) > 0 // only now, so that no other worker overtakes this one
			again := m.queued
			m.mu.Unlock()
			if again {
				l.dirty <- m
			}
		}
	}
}

// smallReader is a bufio.Reader for which 512 bytes are enough.
type smallReader struct {
	src      io.Reader
	buf      [webBufferSize]byte
	from, to int
}

// Read implements io.Reader.
func (r *smallReader) Read(p []byte) (int, error) {
	if r.from == r.to {
		n, err := r.src.Read(r.buf[:])
		if n == 0 {
			return 0, err
		}
		r.from, r.to = 0, n
	}
	n := copy(p, r.buf[r.from:r.to])
	r.from += n
	return n, nil
}
