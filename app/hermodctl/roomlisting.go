package hermodctl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// roomListing writes what commands about rooms have to show: a table, or a line of JSON for each.
type roomListing struct {
	out   io.Writer
	err   io.Writer
	json  bool
	table *tabwriter.Writer // nil: nothing is in it
}

// end writes what waits.
func (l *roomListing) end() error {
	if l.table == nil {
		return nil
	}
	return l.table.Flush()
}

// none ends a list, and tells people that nothing is in it if so. What is printed stays the empty list.
func (l *roomListing) none(format string, args ...any) error {
	if l.json || l.table != nil {
		return nil
	}
	_, err := fmt.Fprintln(l.err, printable(fmt.Sprintf(format, args...)))
	return err
}

func (l *roomListing) say(format string, args ...any) error {
	_, err := fmt.Fprintln(l.out, printable(fmt.Sprintf(format, args...)))
	return err
}

func (l *roomListing) line(v any) error {
	lines := json.NewEncoder(l.out)
	lines.SetEscapeHTML(false)
	return lines.Encode(v)
}

// row writes cells, below the heading if they are the first ones.
func (l *roomListing) row(heading string, cells ...any) error {
	if l.table == nil {
		l.table = tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(l.table, strings.ReplaceAll(heading, " ", "\t"))
	}
	texts := make([]string, len(cells))
	for i, cell := range cells {
		texts[i] = cmp.Or(printable(fmt.Sprint(cell)), "-")
	}
	_, err := fmt.Fprintln(l.table, strings.Join(texts, "\t"))
	return err
}

// configLine is what a room accepts; durations are in seconds.
type configLine struct {
	MaxUsers       int32 `json:"max_users"`
	Persistent     bool  `json:"persistent"`
	InviteOnly     bool  `json:"invite_only"`
	MessageTTL     int64 `json:"message_ttl_seconds"`
	IdleTimeout    int64 `json:"idle_timeout_seconds"`
	AllowAudio     bool  `json:"allow_audio"`
	AllowRichText  bool  `json:"allow_rich_text"`
	AutoTranscribe bool  `json:"auto_transcribe"`
}

type roomLine struct {
	RoomID      string     `json:"room_id"`
	Kind        string     `json:"kind"` // room or direct
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Members     int32      `json:"members"`
	Messages    int64      `json:"messages"`
	Created     *time.Time `json:"created_at,omitempty"`
	LastActive  *time.Time `json:"last_active,omitempty"`
	Config      configLine `json:"config"`
}

func lineOf(r *imv1.RoomInfo) roomLine {
	kind, c := "room", r.GetConfig()
	if r.GetKind() == imv1.RoomKind_ROOM_KIND_DIRECT {
		kind = "direct"
	}
	return roomLine{
		RoomID: r.GetRoomId(), Kind: kind, Name: r.GetName(), Description: r.GetDescription(), Members: r.GetUserCount(),
		Messages: r.GetMessageCount(), Created: momentOf(r.GetCreatedAt()), LastActive: momentOf(r.GetLastActive()),
		Config: configLine{
			MaxUsers: c.GetMaxUsers(), Persistent: c.GetPersistent(), InviteOnly: c.GetInviteOnly(), MessageTTL: c.GetMessageTtlSeconds(),
			IdleTimeout: c.GetIdleTimeoutSeconds(), AllowAudio: c.GetAllowAudio(), AllowRichText: c.GetAllowRichText(), AutoTranscribe: c.GetAutoTranscribe(),
		},
	}
}

// room shows one room, in lines of its own.
func (l *roomListing) room(r *imv1.RoomInfo) error {
	line := lineOf(r)
	if l.json {
		return l.line(line)
	}
	c := line.Config
	rows := [][2]any{
		{"room", line.RoomID}, {"kind", line.Kind}, {"name", line.Name}, {"description", line.Description},
		{"members", fmt.Sprintf("%d of %s", line.Members, orAny(int64(c.MaxUsers)))}, {"messages", line.Messages},
		{"created", clock(line.Created)}, {"last active", clock(line.LastActive)},
		{"keeps messages", keeps(c)}, {"idle timeout", lasting(c.IdleTimeout, "never")}, {"invited only", yes(c.InviteOnly)},
		{"audio", yes(c.AllowAudio)}, {"rich text", yes(c.AllowRichText)}, {"transcribes", yes(c.AutoTranscribe)},
	}
	table := tabwriter.NewWriter(l.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintf(table, "%s\t%s\n", row[0], cmp.Or(printable(fmt.Sprint(row[1])), "-"))
	}
	return table.Flush()
}

type myRoomLine struct {
	roomLine
	Unread      int32  `json:"unread"`
	Mentions    int32  `json:"mentions"`
	Role        string `json:"role"`
	Peer        string `json:"peer_id,omitempty"` // of a direct room
	LastMessage int64  `json:"last_seq"`
}

// mine shows a room as one of its members finds it.
func (l *roomListing) mine(r *imv1.MyRoom) error {
	line := myRoomLine{
		roomLine: lineOf(r.GetRoomInfo()), Unread: r.GetState().GetUnread(), Mentions: r.GetState().GetMentions(),
		Role: roleName(r.GetMember().GetRole()), Peer: r.GetPeerId(), LastMessage: r.GetState().GetHeadSeq(),
	}
	if l.json {
		return l.line(line)
	}
	return l.row("ROOM NAME ROLE MEMBERS UNREAD MENTIONS LAST", line.RoomID, cmp.Or(line.Name, line.Peer), line.Role, line.Members,
		line.Unread, line.Mentions, clock(line.LastActive))
}

type invitationLine struct {
	RoomID  string     `json:"room_id"`
	Name    string     `json:"name"`
	Invited string     `json:"invited_by"`
	At      *time.Time `json:"invited_at,omitempty"`
}

func (l *roomListing) invitation(i *imv1.Invitation) error {
	line := invitationLine{i.GetRoomId(), i.GetRoomName(), i.GetInviterId(), momentOf(i.GetInvitedAt())}
	if l.json {
		return l.line(line)
	}
	return l.row("ROOM NAME ROLE MEMBERS UNREAD MENTIONS LAST", line.RoomID, line.Name, "invited", "-", "-", "-", clock(line.At))
}

type memberLine struct {
	UserID     string     `json:"user_id"`
	Nickname   string     `json:"nickname"`
	Role       string     `json:"role"`
	Muted      bool       `json:"muted"`
	MutedUntil *time.Time `json:"muted_until,omitempty"` // absent: until it is taken back
	Joined     *time.Time `json:"joined_at,omitempty"`
}

func (l *roomListing) member(m *imv1.RoomUser) error {
	line := memberLine{
		m.GetUserId(), m.GetNickname(), roleName(m.GetRole()), m.GetMuted(), momentOf(m.GetMutedUntil()), momentOf(m.GetJoinedAt()),
	}
	if l.json {
		return l.line(line)
	}
	muted := "no"
	if line.Muted {
		muted = "until " + cmp.Or(clock(line.MutedUntil), "unmuted")
	}
	return l.row("USER NICKNAME ROLE MUTED JOINED", line.UserID, line.Nickname, line.Role, muted, clock(line.Joined))
}

type banLine struct {
	UserID string     `json:"user_id"`
	By     string     `json:"banned_by"`
	Reason string     `json:"reason"`
	At     *time.Time `json:"banned_at,omitempty"`
	Until  *time.Time `json:"until,omitempty"` // absent: for good
}

func (l *roomListing) ban(b *imv1.Ban) error {
	line := banLine{b.GetUserId(), b.GetBannedBy(), b.GetReason(), momentOf(b.GetBannedAt()), momentOf(b.GetUntil())}
	if l.json {
		return l.line(line)
	}
	return l.row("USER BY SINCE UNTIL REASON", line.UserID, line.By, clock(line.At), cmp.Or(clock(line.Until), "unbanned"), line.Reason)
}

func roleName(r imv1.UserRole) string {
	for name, role := range roles {
		if role == r {
			return name
		}
	}
	return ""
}

func momentOf(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	at := t.AsTime().UTC()
	return &at
}

// clock is a time as people read it, empty for none.
func clock(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format("2006-01-02 15:04:05")
}

func orAny(n int64) string {
	if n == 0 {
		return "any number"
	}
	return fmt.Sprint(n)
}

func lasting(seconds int64, never string) string {
	if seconds == 0 {
		return never
	}
	return (time.Duration(seconds) * time.Second).String()
}

func keeps(c configLine) string {
	if !c.Persistent {
		return "no"
	}
	return lasting(c.MessageTTL, "for ever")
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
