package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// What may be added. Hermod's own limits are its configuration's, and found out when an item is sent.
const (
	maxIDBytes   = 200
	maxItemBytes = 4 << 20 // of an item as it is kept; content counts for a third more
	maxAckWait   = 30 * time.Second
)

// Item is a Message or a Push.
type Item interface {
	kind() kind
	name() string
	// lane names whose order the item is part of.
	lane() string
	check() error
}

// kind is what a row holds. The numbers are in the table.
type kind int

const (
	kindMessage kind = 1
	kindPush    kind = 2
)

// Message is said by a user in a room, as by SendMessage of im.v1. The relay's client must be allowed to speak for
// the user, and the user in the room.
type Message struct {
	// ID is the message's id for its sender, of 1 to 200 printable ASCII characters without blanks: who adds the same
	// message with the same ID twice within 24 hours says it once. Empty: a new one.
	ID     string `json:"id,omitempty"`
	UserID string `json:"user_id"`
	// RoomID or ToUserID says where: exactly one of them.
	RoomID   string `json:"room_id,omitempty"`
	ToUserID string `json:"to_user_id,omitempty"`
	// Type is TEXT when it is not said.
	Type        imv1.MessageType  `json:"type,omitempty"`
	Content     []byte            `json:"content,omitempty"`
	Metadata    map[string]string `json:"metadata,omitempty"`
	AckRequired bool              `json:"ack_required,omitempty"` // asks receivers for an ACK
	ReplyToSeq  int64             `json:"reply_to_seq,omitempty"`
	Mentions    []string          `json:"mentions,omitempty"`
	// ExpireAfter is when its content goes, after it was stored; in whole seconds, rounded up. 0: never.
	ExpireAfter time.Duration `json:"expire_after,omitempty"`
}

// Push tells one target something, as upstream's Push does. Whether it was delivered or nobody was there, the push
// has ended with that.
type Push struct {
	// ID is the push's idempotency key, of 1 to 200 printable ASCII characters without blanks: who adds the same push
	// with the same ID twice within 24 hours pushes once. Empty: a new one.
	ID           string                `json:"id,omitempty"`
	To           upstream.Target       `json:"to"`
	Notification upstream.Notification `json:"notification"`
	// OnlineOnly has a push to an openid who has no session end there. Otherwise it is kept for him until he comes.
	// Pushes to a gid or a session are for those who are there anyway.
	OnlineOnly bool `json:"online_only,omitempty"`
	// TTL is how long the push is worth to be delivered, from Add on. 0: for ever.
	TTL time.Duration `json:"ttl,omitempty"`
	// WaitForAck has the relay wait so long, 30 s at most, for a client's acknowledgement, and what was not
	// acknowledged by then is kept for the user, unless OnlineOnly. Other pushes to the target wait for it.
	WaitForAck time.Duration `json:"wait_for_ack,omitempty"`
}

func (Message) kind() kind { return kindMessage }
func (Push) kind() kind    { return kindPush }

func (m Message) name() string { return m.ID }
func (p Push) name() string    { return p.ID }

func (m Message) lane() string {
	if m.RoomID != "" {
		return hashed("room", m.RoomID)
	}
	pair := []string{m.UserID, m.ToUserID}
	slices.Sort(pair)
	return hashed("pair", pair...)
}

func (p Push) lane() string { return hashed("push", p.To.Type, p.To.ID) }

// hashed makes a name of any strings that fits into a column.
func hashed(sort string, names ...string) string {
	h := sha256.New()
	for _, name := range append([]string{sort}, names...) {
		_, _ = fmt.Fprintf(h, "%d:%s", len(name), name) // never fails, by the contract of hash.Hash
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func (m Message) check() error {
	switch {
	case m.UserID == "":
		return errors.New("UserID is empty: somebody must say the message")
	case (m.RoomID == "") == (m.ToUserID == ""):
		return fmt.Errorf("RoomID is %q and ToUserID %q; exactly one of them is required", m.RoomID, m.ToUserID)
	case m.ExpireAfter < 0:
		return fmt.Errorf("ExpireAfter is %v; it cannot be negative", m.ExpireAfter)
	}
	texts := append([]string{m.UserID, m.RoomID, m.ToUserID}, m.Mentions...)
	return checkTexts(texts, m.Metadata)
}

func (p Push) check() error {
	switch {
	case !slices.Contains([]string{"openid", "gid", "session"}, p.To.Type):
		return fmt.Errorf("To.Type is %q; openid, gid and session are allowed", p.To.Type)
	case p.To.ID == "":
		return errors.New("To.ID is empty")
	case p.TTL < 0:
		return fmt.Errorf("TTL is %v; it cannot be negative", p.TTL)
	case p.WaitForAck < 0 || p.WaitForAck > maxAckWait:
		return fmt.Errorf("WaitForAck is %v; 0 to %v are allowed", p.WaitForAck, maxAckWait)
	}
	n := p.Notification
	return checkTexts([]string{p.To.ID, n.MsgType, n.Title, n.Content}, n.Metadata)
}

// checkTexts refuses what could not be put on the wire. JSON would change it without a word.
func checkTexts(texts []string, metadata map[string]string) error {
	for k, v := range metadata {
		texts = append(texts, k, v)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return fmt.Errorf("%.64q is not valid UTF-8; bytes belong into Content of a message and Data of a push", text)
		}
	}
	return nil
}

func checkID(id string) error {
	if len(id) > maxIDBytes || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("ID is %.64q; 1 to %d printable ASCII characters without blanks are allowed", id, maxIDBytes)
	}
	return nil
}

// newRow is an item as it is kept.
type newRow struct {
	kind    kind
	id      string
	lane    string
	payload []byte
}

func encode(item Item) (newRow, error) {
	switch item.(type) {
	case Message, Push:
	default:
		return newRow{}, fmt.Errorf("a %T is no item; a Message or a Push, and no pointer to one, is allowed", item)
	}
	id := item.name()
	if id == "" {
		id = uuid.Must(uuid.NewV7()).String() // fails without a source of randomness, as everything does then
	}
	if err := errors.Join(checkID(id), item.check()); err != nil {
		return newRow{}, err
	}
	payload, err := json.Marshal(item)
	if err != nil {
		return newRow{}, err
	}
	if len(payload) > maxItemBytes {
		return newRow{}, fmt.Errorf("the item has %d bytes; at most %d are allowed", len(payload), maxItemBytes)
	}
	return newRow{kind: item.kind(), id: id, lane: item.lane(), payload: payload}, nil
}

func decode(k kind, id string, payload []byte) (Item, error) {
	switch k {
	case kindMessage:
		var m Message
		err := json.Unmarshal(payload, &m)
		m.ID = id
		return m, err
	case kindPush:
		var p Push
		err := json.Unmarshal(payload, &p)
		p.ID = id
		return p, err
	}
	return nil, fmt.Errorf("kind %d is unknown: a newer version has added it", k)
}
