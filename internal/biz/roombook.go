package biz

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"time"
)

// Bounds of pages.
const (
	DefaultMembers = 100 // of a page of members or bans, which has MaxListedMembers at most
	DefaultMyRooms = 50
	MaxMyRooms     = 200
)

// RoomBook is read by who administers rooms. It sees what other nodes have committed.
type RoomBook interface {
	// Members returns up to limit members who joined after the one at a place, and the place of the last; 0 is before
	// the first.
	Members(ctx context.Context, room RoomID, after int64, limit int) (members []Member, last int64, err error)
	// Bans returns up to limit bans that are in force, of users with ids above after.
	Bans(ctx context.Context, room RoomID, after UserID, limit int) ([]Ban, error)
	// RoomsOf is Members for the rooms of a user, each with its place and where he stands in it.
	RoomsOf(ctx context.Context, user UserID, after int64, limit int) (rooms []OwnRoom, err error)
	// Invitations returns those of a user, the newest first, with the names of the rooms.
	Invitations(ctx context.Context, user UserID, limit int) ([]NamedInvitation, error)
	// Idle returns up to limit rooms with ids above after in which nothing was stored for longer than they may be
	// idle, and the last id that was looked at; it is empty at the end.
	Idle(ctx context.Context, after RoomID, limit int) (rooms []IdleRoom, last RoomID, err error)
}

// IdleRoom is a room in which nothing was stored for longer than it may be idle.
type IdleRoom struct {
	ID         RoomID
	Persistent bool
	Timeout    time.Duration
}

// OwnRoom is a room as one of its members finds it.
type OwnRoom struct {
	Membership
	Place int64  // behind which the next page may begin
	Read  int64  // as MarkRead left it
	Peer  UserID // in a direct room, the other one
}

// NamedInvitation is an invitation with the name of its room.
type NamedInvitation struct {
	Invitation
	Name string
}

// ListRequest asks for a page of what belongs to a room, or of the rooms of a user.
type ListRequest struct {
	User  UserID
	Room  RoomID
	Limit int // 0: a default
	Token string
	Bytes int // of messages in the page; 0: PageBytes
}

func (r *ListRequest) limit(usual, most int) (int, error) {
	switch {
	case r.Limit < 0 || r.Limit > most:
		return 0, Errorf(KindInvalid, "INVALID_ARGUMENT", "limit is %d; it is between 0, which is %d, and %d", r.Limit, usual, most)
	case r.Limit == 0:
		return usual, nil
	}
	return r.Limit, nil
}

// MemberPage is a page of members.
type MemberPage struct {
	Members []Member
	Next    string
}

// Members pages through the members of a room, in the order in which they joined, for those who may read it.
func (a *RoomAdmin) Members(ctx context.Context, by Identity, req ListRequest) (MemberPage, error) {
	who, err := readerOf(by, req.User)
	if err != nil {
		return MemberPage{}, err
	}
	if err := checkID("room_id", string(req.Room)); err != nil {
		return MemberPage{}, err
	}
	limit, err := req.limit(DefaultMembers, MaxListedMembers)
	if err != nil {
		return MemberPage{}, err
	}
	after, err := readNumber(req.Token)
	if err != nil {
		return MemberPage{}, err
	}
	if _, err := a.rooms.rooms.Room(ctx, req.Room); err != nil {
		return MemberPage{}, err
	}
	if err := who.mayRead(ctx, a.rooms.rooms, a.rooms.members, req.Room); err != nil {
		return MemberPage{}, err
	}
	members, last, err := a.book.Members(ctx, req.Room, after, limit)
	if err != nil {
		return MemberPage{}, err
	}
	page := MemberPage{Members: members}
	if len(members) == limit {
		page.Next = numberToken(last)
	}
	return page, nil
}

// A token of a page is where the next one begins, with a sum that finds accidents. Who makes one himself learns
// nothing by it.
func textToken(s string) string {
	return tokenText.EncodeToString(binary.BigEndian.AppendUint32([]byte(s), crc32.ChecksumIEEE([]byte(s))))
}

func readText(token string) (string, error) {
	if token == "" {
		return "", nil
	}
	b, err := tokenText.DecodeString(token)
	if err != nil || len(b) < tokenSum || len(b) > MaxIDBytes+tokenSum {
		return "", errToken("it is not one that was given out")
	}
	text, sum := b[:len(b)-tokenSum], binary.BigEndian.Uint32(b[len(b)-tokenSum:])
	if crc32.ChecksumIEEE(text) != sum || checkOptionalID("page_token", string(text)) != nil {
		return "", errToken("it is damaged")
	}
	return string(text), nil
}

func numberToken(n int64) string { return textToken(strconv.FormatInt(n, 10)) }

func readNumber(token string) (int64, error) {
	text, err := readText(token)
	if err != nil || text == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, errToken("it is damaged")
	}
	return n, nil
}
