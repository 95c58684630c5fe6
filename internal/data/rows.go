package data

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// A row is a table's record as it is stored; each has one pair of functions that turn it into what
// biz knows and back. GORM knows the columns from the fields. Prepared statements name them by a
// constant, without those that the database fills in, and take them from fields or put them there,
// which has the same order.

type roomRow struct {
	ID             string `gorm:"primaryKey"`
	Name           string
	Description    string
	MaxUsers       int
	Persistent     bool
	MessageTTL     int64
	IdleTimeout    int64
	AllowAudio     bool
	AllowRichText  bool
	AutoTranscribe bool
	CreatedAt      int64 `gorm:"autoCreateTime:false"`
	LastActive     int64
	HeadSeq        int64
	FloorSeq       int64
	Members        int
	Version        int64
	Kind           int8
	InviteOnly     bool
	DeletedAt      int64
}

func (roomRow) TableName() string { return "rooms" }

const roomColumns = `id, name, description, max_users, persistent, message_ttl, idle_timeout,
	allow_audio, allow_rich_text, auto_transcribe, created_at, last_active, head_seq, floor_seq, members, version,
	kind, invite_only, deleted_at`

func (r *roomRow) fields() []any {
	return []any{
		&r.ID, &r.Name, &r.Description, &r.MaxUsers, &r.Persistent, &r.MessageTTL, &r.IdleTimeout,
		&r.AllowAudio, &r.AllowRichText, &r.AutoTranscribe, &r.CreatedAt, &r.LastActive, &r.HeadSeq, &r.FloorSeq, &r.Members, &r.Version,
		&r.Kind, &r.InviteOnly, &r.DeletedAt,
	}
}

func toRoomRow(r biz.Room) roomRow {
	return roomRow{
		ID: string(r.ID), Name: r.Name, Description: r.Description,
		MaxUsers: r.Config.MaxUsers, Persistent: r.Config.Persistent,
		MessageTTL: r.Config.MessageTTL.Microseconds(), IdleTimeout: r.Config.IdleTimeout.Microseconds(),
		AllowAudio: r.Config.AllowAudio, AllowRichText: r.Config.AllowRichText, AutoTranscribe: r.Config.AutoTranscribe,
		CreatedAt: toMicros(r.CreatedAt), LastActive: toMicros(r.LastActive),
		HeadSeq: r.HeadSeq, FloorSeq: r.FloorSeq, Members: r.Members, Version: r.Version,
		Kind: int8(r.Kind), InviteOnly: r.Config.InviteOnly, DeletedAt: toMicros(r.DeletedAt),
	}
}

func fromRoomRow(r roomRow) biz.Room {
	return biz.Room{
		ID: biz.RoomID(r.ID), Name: r.Name, Description: r.Description,
		Config: biz.RoomConfig{
			MaxUsers: r.MaxUsers, Persistent: r.Persistent,
			MessageTTL: time.Duration(r.MessageTTL) * time.Microsecond, IdleTimeout: time.Duration(r.IdleTimeout) * time.Microsecond,
			AllowAudio: r.AllowAudio, AllowRichText: r.AllowRichText, AutoTranscribe: r.AutoTranscribe,
			InviteOnly: r.InviteOnly,
		},
		CreatedAt: fromMicros(r.CreatedAt), LastActive: fromMicros(r.LastActive),
		HeadSeq: r.HeadSeq, FloorSeq: r.FloorSeq, Members: r.Members, Version: r.Version,
		Kind: biz.RoomKind(r.Kind), DeletedAt: fromMicros(r.DeletedAt),
	}
}

type memberRow struct {
	No       int64 `gorm:"primaryKey"`
	RoomID   string
	UserID   string
	Nickname string
	Role     int8
	Muted    bool
	JoinSeq  int64
	JoinedAt int64

	MutedUntil int64
}

func (memberRow) TableName() string { return "members" }

const memberColumns = `room_id, user_id, nickname, role, muted, join_seq, joined_at, muted_until`

func (r *memberRow) fields() []any {
	return []any{&r.RoomID, &r.UserID, &r.Nickname, &r.Role, &r.Muted, &r.JoinSeq, &r.JoinedAt, &r.MutedUntil}
}

func toMemberRow(m biz.Member) memberRow {
	return memberRow{
		RoomID: string(m.Room), UserID: string(m.User), Nickname: m.Nickname, Role: int8(m.Role),
		Muted: m.Muted, MutedUntil: toMicros(m.MutedUntil), JoinSeq: m.JoinSeq, JoinedAt: toMicros(m.JoinedAt),
	}
}

func fromMemberRow(r memberRow) biz.Member {
	return biz.Member{
		Room: biz.RoomID(r.RoomID), User: biz.UserID(r.UserID), Nickname: r.Nickname, Role: biz.Role(r.Role),
		Muted: r.Muted, MutedUntil: fromMicros(r.MutedUntil), JoinSeq: r.JoinSeq, JoinedAt: fromMicros(r.JoinedAt),
	}
}

type messageRow struct {
	RoomID      string
	Seq         int64
	ID          string
	Sender      string
	ClientID    string
	Type        int32
	Content     []byte
	Metadata    []byte
	AckRequired bool
	CreatedAt   int64
	Extras      []byte
}

// A message without extras is written without the last column.
const (
	plainColumns   = `room_id, seq, id, sender, client_id, type, content, metadata, ack_required, created_at`
	messageColumns = plainColumns + `, extras`
)

func (r *messageRow) fields() []any {
	return []any{
		&r.RoomID, &r.Seq, &r.ID, &r.Sender, &r.ClientID, &r.Type, &r.Content, &r.Metadata, &r.AckRequired, &r.CreatedAt,
		&r.Extras,
	}
}

// values are what a new row consists of.
func (r *messageRow) values() []any {
	return []any{
		r.RoomID, r.Seq, r.ID, r.Sender, r.ClientID, int64(r.Type), notNil(r.Content), nullable(r.Metadata), r.AckRequired, r.CreatedAt,
		nullable(r.Extras),
	}
}

// toMessageRow takes the metadata as the log encoded it already.
func toMessageRow(m *biz.Message, metadata, extras []byte) messageRow {
	return messageRow{
		RoomID: string(m.Room), Seq: m.Seq, ID: m.ID, Sender: string(m.Sender), ClientID: m.ClientID,
		Type: int32(m.Type), Content: m.Content, Metadata: metadata, AckRequired: m.AckRequired,
		CreatedAt: toMicros(m.Time), Extras: extras,
	}
}

// fromMessageRow returns the message as it is now: one whose time is over has no content.
func fromMessageRow(r *messageRow) (*biz.Message, error) {
	md, err := decodeMetadata(r.Metadata)
	if err != nil {
		return nil, err
	}
	m := &biz.Message{
		ID: r.ID, Room: biz.RoomID(r.RoomID), Seq: r.Seq, Sender: biz.UserID(r.Sender), ClientID: r.ClientID,
		Type: biz.MessageType(r.Type), Content: r.Content, Metadata: md, AckRequired: r.AckRequired,
		Time: fromMicros(r.CreatedAt),
	}
	if err := decodeExtras(r.Extras, m); err != nil {
		return nil, err
	}
	return asRead(m), nil
}

type pushRow struct {
	No        int64 `gorm:"primaryKey"`
	UserID    string
	Seq       int64
	ID        string
	MsgType   string
	Title     string
	Content   string
	Data      []byte
	Metadata  []byte
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	ExpiresAt int64
	Size      int64 // of what is of no fixed length
}

func (pushRow) TableName() string { return "inbox" }

const pushColumns = `user_id, seq, id, msg_type, title, content, data, metadata, created_at, expires_at, size`

func (r *pushRow) fields() []any {
	return []any{
		&r.UserID, &r.Seq, &r.ID, &r.MsgType, &r.Title, &r.Content, &r.Data, &r.Metadata, &r.CreatedAt, &r.ExpiresAt, &r.Size,
	}
}

func toPushRow(user biz.UserID, p *biz.Push, expires time.Time) (pushRow, error) {
	md, err := encodeMetadata(p.Metadata)
	return pushRow{
		UserID: string(user), Seq: p.InboxSeq, ID: p.ID, MsgType: p.MsgType, Title: p.Title, Content: p.Content,
		Data: notNil(p.Data), Metadata: md, CreatedAt: toMicros(p.Time), ExpiresAt: toMicros(expires),
		Size: int64(len(p.MsgType) + len(p.Title) + len(p.Content) + len(p.Data) + len(md)),
	}, err
}

func fromPushRow(r pushRow) (*biz.Push, error) {
	md, err := decodeMetadata(r.Metadata)
	return &biz.Push{
		ID: r.ID, MsgType: r.MsgType, Title: r.Title, Content: r.Content, Data: r.Data, Metadata: md,
		Time: fromMicros(r.CreatedAt), InboxSeq: r.Seq, Expires: fromMicros(r.ExpiresAt),
	}, err
}

type cursorRow struct {
	No        int64 `gorm:"primaryKey"`
	UserID    string
	RoomID    string
	DeviceID  string
	Delivered int64
	UpdatedAt int64 `gorm:"autoUpdateTime:false"`
}

func (cursorRow) TableName() string { return "cursors" }

const cursorColumns = `user_id, room_id, device_id, delivered, updated_at`

func (r *cursorRow) fields() []any {
	return []any{&r.UserID, &r.RoomID, &r.DeviceID, &r.Delivered, &r.UpdatedAt}
}

type audioRow struct {
	ID        string
	RoomID    string
	UserID    string
	Format    string
	Size      int64
	Duration  int64 // microseconds
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	Measured  bool
	Waveform  []byte
	// FollowsMessages is set in every row that this program adds.
	FollowsMessages bool
}

func (audioRow) TableName() string { return "audios" }

const audioColumns = `id, room_id, user_id, format, size, duration, created_at, measured, waveform, follows_messages`

func (r *audioRow) fields() []any {
	return []any{
		&r.ID, &r.RoomID, &r.UserID, &r.Format, &r.Size, &r.Duration, &r.CreatedAt, &r.Measured, &r.Waveform, &r.FollowsMessages,
	}
}

func toAudioRow(a biz.Audio) audioRow {
	return audioRow{
		ID: string(a.ID), RoomID: string(a.Room), UserID: string(a.User), Format: a.Format, Size: a.Size,
		Duration: a.Duration.Microseconds(), CreatedAt: toMicros(a.CreatedAt),
		Measured: a.Measured, Waveform: nullableBytes(a.Waveform), FollowsMessages: true,
	}
}

func fromAudioRow(r audioRow) biz.Audio {
	return biz.Audio{
		ID: biz.AudioID(r.ID), Room: biz.RoomID(r.RoomID), User: biz.UserID(r.UserID), Format: r.Format, Size: r.Size,
		Duration: time.Duration(r.Duration) * time.Microsecond, CreatedAt: fromMicros(r.CreatedAt),
		Measured: r.Measured, Waveform: string(r.Waveform),
	}
}

// nullableBytes is NULL for an empty text.
func nullableBytes(text string) []byte {
	if text == "" {
		return nil
	}
	return []byte(text)
}

// encodeMetadata writes a map as a JSON object, keys in order, and an empty one as nil.
func encodeMetadata(md map[string]string) ([]byte, error) {
	if len(md) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(md)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return b, nil
}

func decodeMetadata(b []byte) (map[string]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	var md map[string]string
	if err := json.Unmarshal(b, &md); err != nil {
		return nil, biz.Errorf(biz.KindInternal, "STORE_CORRUPT", "stored metadata cannot be read").Because(err)
	}
	return md, nil
}

// nullable is encoded JSON as an argument: text, and NULL when there is none.
func nullable(text []byte) any {
	if text == nil {
		return nil
	}
	return string(text)
}

// notNil makes an empty slice of none, since NULL is not the same as no bytes.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// toMicros and fromMicros keep microseconds, which is what the store promises.
func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
