package data

import (
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// senderBlock is how many messages of a room have their senders remembered together: as many as one
	// byte can tell apart.
	senderBlock = 256
	// cachedBlocks of a kilobyte or so.
	cachedBlocks = 16 << 10
)

// senders remembers who has sent what. That never changes, and a seq is never used twice, so that what is
// remembered is right whatever other nodes do. Safe for concurrent use.
type senders struct {
	mu     sync.Mutex
	blocks *simplelru.LRU[blockKey, *block]
}

type blockKey struct {
	room biz.RoomID
	n    int64 // of the block: it begins behind seq n * senderBlock
}

func blockOf(room biz.RoomID, seq int64) blockKey { return blockKey{room, (seq - 1) / senderBlock} }

// before is the seq before the first one of the block.
func (k blockKey) before() int64 { return k.n * senderBlock }

// block is the senders of a room's messages in a row. It is not changed once it is remembered.
type block struct {
	names []biz.UserID
	who   []uint8 // by message, from the first one of the block on: the place in names
}

// absent is the sender of a message that is not there any more.
const absent = biz.UserID("")

func newSenders() (*senders, error) {
	blocks, err := simplelru.NewLRU[blockKey, *block](cachedBlocks, nil)
	return &senders{blocks: blocks}, err
}

// get returns an empty block where nothing is remembered.
func (s *senders) get(k blockKey) *block {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blocks.Get(k)
	if !ok {
		return &block{}
	}
	return b
}

// put remembers more of a block, unless somebody has remembered more of it meanwhile.
func (s *senders) put(k blockKey, b *block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if had, ok := s.blocks.Peek(k); !ok || len(had.who) < len(b.who) {
		s.blocks.Add(k, b)
	}
}

// add puts one more message into a block that is not remembered yet.
func (b *block) add(sender biz.UserID) {
	i := slices.Index(b.names, sender)
	if i < 0 {
		i = len(b.names)
		b.names = append(b.names, sender)
	}
	b.who = append(b.who, uint8(i))
}

func (b *block) clone() *block { return &block{names: slices.Clone(b.names), who: slices.Clone(b.who)} }

// others counts the messages at places from to end-1 that are of somebody else than the user.
func (b *block) others(user biz.UserID, from, end int64) (n int) {
	own, gone := slices.Index(b.names, user), slices.Index(b.names, absent)
	for _, i := range b.who[from:end] {
		if int(i) != own && int(i) != gone {
			n++
		}
	}
	return n
}
