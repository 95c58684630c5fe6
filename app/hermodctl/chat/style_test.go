package chat

import (
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var noon = time.Date(2026, 3, 14, 12, 1, 0, 0, time.UTC)

// plainStyle has a fixed idea of now.
func plainStyle() Style {
	return Style{Location: time.UTC, Now: func() time.Time { return noon.Add(time.Hour) }}
}

func TestMessageLines(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(noon)
	tests := []struct {
		name string
		msg  *imv1.MessageResponse
		room string
		want string
	}{
		{"text", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("hi"), Timestamp: at}, "", "12:01 bob: hi"},
		{"another day", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("hi"), Timestamp: timestamppb.New(noon.AddDate(-1, 0, 0))}, "", "14 Mar 12:01 bob: hi"},
		{"another room", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("hi"), Timestamp: at}, "dev", "12:01 #dev bob: hi"},
		{"no time", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("hi")}, "", "bob: hi"},
		{"lines", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("a\r\nb: c\n")}, "", "bob: a\n      b: c"},
		{"steering", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("a\x1b[2Jb\u202ec\xff")}, "", "bob: a\ufffd[2Jb\ufffdc\ufffd"},
		{"joiners", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("می\u200cخواهم 👩\u200d👧")}, "", "bob: می\u200cخواهم 👩\u200d👧"},
		{"joined", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM}, "", "* bob joined"},
		{"left", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM}, "", "* bob left"},
		{"audio", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_AUDIO, Content: []byte("{}")}, "", "bob: [audio] {}"},
		{"rich text", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_RICH_TEXT, Content: []byte("*x*")}, "", "bob: [rich text] *x*"},
		{"unknown", &imv1.MessageResponse{Content: []byte("?")}, "", "bob: [MESSAGE_TYPE_UNSPECIFIED] ?"},
		{"push", &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: []byte(`{"n":1}`), Timestamp: at,
			Metadata: map[string]string{"msg_type": "mail", "title": "Mail", "content": "You have mail"}}, "", `12:01 ! [mail] Mail You have mail {"n":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := plainStyle().Message(tt.msg, "bob", tt.room); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestColorIsOnlyAdded(t *testing.T) {
	t.Parallel()
	s := plainStyle()
	s.Color = true
	if got, want := s.Note("x"), "\x1b[2m-- x\x1b[0m"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := plainStyle().Heading("x"), "-- x --"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := plainStyle().Problem("x %s", "\x1b[2J"), "-- x \ufffd[2J"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
