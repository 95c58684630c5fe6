package chat

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"
	"unicode"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Style turns what happens into lines. What others wrote cannot steer the terminal: control
// characters are replaced.
type Style struct {
	Color    bool
	Location *time.Location   // nil: local time
	Now      func() time.Time // nil: time.Now; days other than today are shown
}

// ANSI attributes.
const (
	dim    = "2"
	bold   = "1"
	red    = "31"
	yellow = "33"
)

var nameColors = []string{"32", "34", "35", "36", "92", "94", "95", "96"}

func (s Style) paint(attribute, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + attribute + "m" + text + "\x1b[0m"
}

// Line is a message as it is to be shown.
type Line struct {
	Msg   *imv1.MessageResponse
	Name  string
	Place string   // where it was said; empty: where everything is said
	Reply string   // what it answers, if anything
	Notes []string // what has become of it
	ForMe bool     // it mentions who looks
}

// Message returns the line of a message of which nothing is known but what it says. room is shown when it is not
// empty.
func (s Style) Message(msg *imv1.MessageResponse, name, room string) string {
	if room != "" {
		room = "#" + room
	}
	return s.Line(Line{Msg: msg, Name: name, Place: room})
}

// Line returns the line of a message.
func (s Style) Line(l Line) string {
	var b strings.Builder
	b.WriteString(s.stamp(l.Msg))
	if l.Place != "" {
		b.WriteString(s.paint(dim, clean(l.Place)) + " ")
	}
	switch l.Msg.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM:
		b.WriteString(s.paint(dim, "* "+clean(l.Name)+" joined"))
	case imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM:
		b.WriteString(s.paint(dim, "* "+clean(l.Name)+" left"))
	case imv1.MessageType_MESSAGE_TYPE_SYSTEM:
		b.WriteString(s.paint(yellow, "! "+clean(system(l.Msg, l.Name))))
	default:
		s.speech(&b, l)
	}
	return b.String()
}

// speech writes what a member said.
func (s Style) speech(b *strings.Builder, l Line) {
	if seq := l.Msg.GetSeq(); seq > 0 {
		b.WriteString(s.paint(dim, fmt.Sprintf("[%d]", seq)) + " ")
	}
	if l.ForMe {
		b.WriteString(s.paint(bold, "@you") + " ")
	}
	b.WriteString(s.name(l.Name) + ": ")
	if l.Reply != "" {
		b.WriteString(s.paint(dim, "(to "+clean(l.Reply)+")") + " ")
	}
	notes := l.Notes
	if l.Msg.GetState().GetRecalled() {
		b.WriteString(s.paint(dim, gone(l.Msg.GetState())))
		notes = nil
	} else {
		b.WriteString(content(l.Msg))
	}
	if len(notes) > 0 {
		b.WriteString(" " + s.paint(dim, clean("("+strings.Join(notes, ", ")+")")))
	}
}

// gone is shown in the place of what a message said.
func gone(state *imv1.MessageState) string {
	if state.GetRecalledBy() == "" {
		return "(its time is over)"
	}
	return "(taken back)"
}

// Event returns a line about what happened to a message, to a member or to the room.
func (s Style) Event(msg *imv1.MessageResponse, place, text string) string {
	if place != "" {
		place = s.paint(dim, clean(place)) + " "
	}
	return s.stamp(msg) + place + s.paint(dim, "* "+clean(text))
}

// Note returns a line of the chat's own.
func (s Style) Note(format string, args ...any) string {
	return s.paint(dim, "-- "+clean(fmt.Sprintf(format, args...)))
}

// Problem returns a line about something that went wrong.
func (s Style) Problem(format string, args ...any) string {
	return s.paint(red, "-- "+clean(fmt.Sprintf(format, args...)))
}

// Heading returns the line above a block.
func (s Style) Heading(format string, args ...any) string {
	return s.paint(bold, "-- "+clean(fmt.Sprintf(format, args...))+" --")
}

func (s Style) name(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails, by the contract of hash.Hash
	return s.paint(nameColors[h.Sum32()%uint32(len(nameColors))], clean(name))
}

func (s Style) stamp(msg *imv1.MessageResponse) string {
	if msg.GetTimestamp() == nil {
		return ""
	}
	return s.paint(dim, s.clock(msg.GetTimestamp().AsTime())) + " "
}

// clock is a time of day, with the day if that is not today.
func (s Style) clock(at time.Time) string {
	location, now := s.Location, s.Now
	if location == nil {
		location = time.Local
	}
	if now == nil {
		now = time.Now
	}
	at, today := at.In(location), now().In(location)
	layout := "15:04"
	if at.YearDay() != today.YearDay() || at.Year() != today.Year() {
		layout = "2 Jan 15:04"
	}
	return at.Format(layout)
}

func content(msg *imv1.MessageResponse) string {
	text := clean(string(msg.GetContent()))
	switch msg.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_TEXT:
		return text
	case imv1.MessageType_MESSAGE_TYPE_AUDIO:
		return clean(audioText(msg.GetContent()))
	case imv1.MessageType_MESSAGE_TYPE_RICH_TEXT:
		return "[rich text] " + text
	}
	return "[" + msg.GetType().String() + "] " + text
}

// system returns the text of a SYSTEM message: a push, which says what it is in its metadata, or
// what a room is told, of a recording or by a service.
func system(msg *imv1.MessageResponse, name string) string {
	if text, ok := transcriptText(msg, name); ok {
		return text
	}
	md := msg.GetMetadata()
	var parts []string
	if kind := md["msg_type"]; kind != "" {
		parts = append(parts, "["+kind+"]")
	}
	for _, part := range []string{md["title"], md["content"], string(msg.GetContent())} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// clean replaces what would move the cursor, change colours or break the line. Further lines are
// indented, so that nobody can write lines in another's name. Joiners stay, which emoji have, and words of some languages.
func clean(text string) string {
	text = strings.ReplaceAll(strings.TrimRight(text, "\r\n"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case r == '\n':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Join_Control, r):
			return '\ufffd'
		}
		return r
	}, strings.ReplaceAll(text, "\n", "\n      "))
}
