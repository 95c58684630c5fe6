package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// room is a Client that plays a room whose last message was at noon.
type room struct {
	mu   sync.Mutex
	sent []string
	seq  int64
	left []string
	cut  []string // uploads
	done []string // all else that was asked for

	answers  answers
	asked    int
	terminal bool // what is typed is on the screen already
}

func (r *room) Send(_ context.Context, req *imv1.MessageRequest) (*client.SendResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.Contains(string(req.GetContent()), "forbidden") {
		return nil, &client.RefusedError{Reason: "MUTED", Message: "you are muted"}
	}
	r.seq++
	r.sent = append(r.sent, req.GetRoomId()+": "+string(req.GetContent())+extras(req))
	return &client.SendResult{Seq: r.seq, Time: noon.Add(time.Minute)}, nil
}

func (r *room) JoinRoom(roomID string, metadata map[string]string) (*imv1.JoinRoomResponse, error) {
	if roomID == "secret" {
		return nil, status.Error(codes.PermissionDenied, "not for you")
	}
	if metadata["nickname"] != "Al" {
		return nil, errors.New("the nickname is missing")
	}
	return &imv1.JoinRoomResponse{
		RoomInfo:    &imv1.RoomInfo{LastActive: timestamppb.New(noon), UserCount: 3},
		OnlineUsers: []string{"bob", "alice"},
	}, nil
}

func (r *room) LeaveRoom(roomID string) (*imv1.LeaveRoomResponse, error) {
	r.left = append(r.left, roomID)
	return &imv1.LeaveRoomResponse{}, nil
}

// GetRoomInfo knows eve's nickname from the third time on.
func (r *room) GetRoomInfo(string) (*imv1.GetRoomInfoResponse, error) {
	users := []*imv1.RoomUser{{UserId: "alice", Nickname: "Al"}, {UserId: "bob", Nickname: "Bobby"}, {UserId: "carol"}}
	if r.asked++; r.asked > 2 {
		users = append(users, &imv1.RoomUser{UserId: "eve", Nickname: "Evie"})
	}
	return &imv1.GetRoomInfoResponse{Users: users}, nil
}

// talk runs a chat within a synctest bubble: script types and has messages arrive, and the output
// is compared when Run has returned.
func talk(t *testing.T, r *room, script func(c *Chat, typed io.Writer)) (output string, err error) {
	t.Helper()
	var out bytes.Buffer
	keyboard, typed := io.Pipe()
	c := New(Config{User: "alice", Room: "lobby", Nick: "Al", Echo: !r.terminal, Style: plainStyle()}, newPlain(keyboard, &out))
	result := make(chan error, 1)
	go func() { result <- c.Run(t.Context(), r) }()
	c.Connected()
	script(c, typed)
	typed.Close()
	err = <-result
	keyboard.Close()
	synctest.Wait()
	return out.String(), err
}

func said(from, content string, at time.Time) *imv1.MessageResponse {
	return &imv1.MessageResponse{
		FromUserId: from, RoomId: "lobby", Type: imv1.MessageType_MESSAGE_TYPE_TEXT,
		Content: []byte(content), Timestamp: timestamppb.New(at),
	}
}

func expect(t *testing.T, got string, want ...string) {
	t.Helper()
	if want := strings.Join(want, "\n") + "\n"; got != want {
		t.Errorf("output:\n%s\nwant:\n%s", got, want)
	}
}

// silent is a room that a message never arrives in.
type silent struct{ room }

func (s *silent) Send(ctx context.Context, _ *imv1.MessageRequest) (*client.SendResult, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestAnInterruptTellsWhatIsUnsent: a script that is stopped knows whether all that it said was stored.
func TestAnInterruptTellsWhatIsUnsent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		with  Client
		input string
		want  error
	}{
		"a line that is on its way": {&silent{}, "hello\n", ErrUnsent},
		"one behind it":             {&silent{}, "hello\nthere\n", ErrUnsent},
		"all were stored":           {&room{}, "hello\n", nil},
		"nothing was said":          {&room{}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := New(Config{User: "alice", Room: "lobby", Nick: "Al", Echo: true, Follow: true, Style: plainStyle()}, newPlain(strings.NewReader(test.input), io.Discard))
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := c.Run(ctx, test.with); !errors.Is(err, test.want) {
					t.Errorf("Run: %v, want %v", err, test.want)
				}
				synctest.Wait()
			})
		})
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		out, err := talk(t, r, func(c *Chat, typed io.Writer) {
			c.Message(said("bob", "one", noon.Add(-time.Hour)))
			c.Message(said("carol", "two", noon))
			c.Message(said("bob", "three", noon.Add(time.Minute))) // live
			time.Sleep(2 * quiet)
			fmt.Fprint(typed, "hello\n\n//etc\n/who\n")
			synctest.Wait()
			c.Disconnected(errors.New("gone"))
			c.Connected()
			c.Message(&imv1.MessageResponse{FromUserId: "eve", RoomId: "lobby", Type: imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM})
			time.Sleep(2 * introductions)
			c.Message(&imv1.MessageResponse{FromUserId: "eve", RoomId: "lobby", Type: imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM})
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out,
			"-- room lobby: 3 members, online: you, Bobby (bob)",
			"-- 2 messages while you were away --",
			"11:01 Bobby: one",
			"12:01 carol: two",
			"-- now --",
			"12:02 Bobby: three",
			"12:02 [1] Al (you): hello",
			"12:02 [2] Al (you): /etc",
			"-- online: you, Bobby (bob)",
			"-- offline: carol",
			"-- connection lost: gone",
			"-- connected again",
			"* eve joined",
			"* Evie left", // he said how he is called after he had joined
		)
		if got := strings.Join(r.sent, "|"); got != "lobby: hello|lobby: /etc" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestNothingWasMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out, err := talk(t, &room{}, func(c *Chat, _ io.Writer) { c.Message(said("bob", "now", noon.Add(1))) })
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out, "-- room lobby: 3 members, online: you, Bobby (bob)", "12:01 Bobby: now")
	})
}

func TestMuchWasMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out, _ := talk(t, &room{}, func(c *Chat, _ io.Writer) {
			synctest.Wait() // until the room is entered
			for i := range 2 * maxMissed {
				c.Message(said("bob", fmt.Sprint(i), noon))
			}
		})
		lines := strings.Split(out, "\n")
		if len(lines) != 2*maxMissed+4 || lines[2*maxMissed+2] != "-- now --" || lines[1] != "-- more than 499 messages while you were away --" {
			t.Errorf("%d lines, the second is %q", len(lines), lines[1])
		}
		if lines[2] != "12:01 Bobby: 0" || lines[2*maxMissed+1] != "12:01 Bobby: 999" {
			t.Errorf("from %q to %q", lines[2], lines[2*maxMissed+1])
		}
	})
}

func TestRefusedSendsAreToldAndCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out, err := talk(t, &room{}, func(_ *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			fmt.Fprint(typed, "forbidden\nallowed")
		})
		if !errors.Is(err, ErrUnsent) {
			t.Errorf("Run: %v, want ErrUnsent", err)
		}
		expect(t, out,
			"-- room lobby: 3 members, online: you, Bobby (bob)",
			`-- not sent: you are muted (MUTED): "forbidden"`,
			"12:02 [1] Al (you): allowed",
		)
	})
}

func TestRooms(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		out, err := talk(t, r, func(_ *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			fmt.Fprint(typed, "/join dev\nhi\n/join secret\n/leave\nback\n/leave\nnowhere\n/who\n/quit\nunread\n")
		})
		if err == nil {
			t.Error("Run: nil, although a line could not be sent")
		}
		expect(t, out,
			"-- room lobby: 3 members, online: you, Bobby (bob)",
			"-- room dev: 3 members, online: you, Bobby (bob)",
			"12:02 [1] Al (you): hi",
			"-- not joined: not for you (PermissionDenied)",
			"-- you have left dev",
			"12:02 [2] Al (you): back",
			"-- you have left lobby",
			"-- you are in no room; /join ROOM enters one",
			"-- you are in no room",
		)
		if got := strings.Join(r.sent, "|"); got != "dev: hi|lobby: back" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestWrongCommands(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out, _ := talk(t, &room{}, func(_ *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			fmt.Fprint(typed, "/etc/passwd\n/join\n/who there\n/help\n")
		})
		for _, want := range []string{
			"there is no command /etc/passwd; /help lists them, and //etc/passwd sends it as text",
			"/join wants ROOM", "/who takes nothing behind it", "-- /join ROOM       enter a room", "-- //text",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	})
}

// TestAWrongLineFailsAScript: what was not done, since it is not understood, is told by the exit code.
func TestAWrongLineFailsAScript(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]error{"/recal 1": ErrUnsent, "/recall": ErrUnsent, "/leave now": ErrUnsent, "/help": nil, "hello": nil} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				out, err := talk(t, &room{}, func(_ *Chat, typed io.Writer) { fmt.Fprintln(typed, line) })
				if !errors.Is(err, want) {
					t.Errorf("%v, want %v, of\n%s", err, want, out)
				}
			})
		})
	}
}

func TestServerEndsTheChat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kicked := fmt.Errorf("%w: %w", client.ErrGaveUp, &client.DisconnectError{Code: 4001, Reason: "kicked"})
		_, err := talk(t, &room{}, func(c *Chat, _ io.Writer) {
			time.Sleep(2 * quiet)
			c.Failed(errors.New("only a failed attempt"))
			c.Failed(kicked)
		})
		if !errors.Is(err, client.ErrGaveUp) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRoomThatCannotBeEntered(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := New(Config{User: "alice", Room: "secret", Echo: true, Follow: true}, newPlain(strings.NewReader(""), &out))
	if err := c.Run(t.Context(), &room{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("Run: %v", err)
	}
	c.Message(said("bob", "late", noon)) // must not block once Run has returned
}

func TestPlainScreen(t *testing.T) {
	t.Parallel()
	s, interactive, err := Open(strings.NewReader("a\r\n\nb"), io.Discard)
	if err != nil || interactive {
		t.Fatalf("Open: interactive %v, %v", interactive, err)
	}
	for _, want := range []string{"a", "", "b"} {
		if got, err := s.ReadLine(); got != want || err != nil {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	if _, err := s.ReadLine(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	if Colors(io.Discard) {
		t.Error("colours in a pipe")
	}
}
