package data

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// entry is a draft on its way through the log. It belongs to whoever holds it: the queue, the
// committer, a publisher.
type entry struct {
	draft    *biz.Draft
	done     func(biz.Receipt, error)
	metadata []byte        // encoded
	refs     []biz.AudioID // of a message; what an act says is the content of another
	hash     payloadHash
	size     int
	asked    time.Time

	// The outcome. Nothing of it reaches the draft before it is committed.
	receipt biz.Receipt
	err     error
	refused error // by who may say what, as the transaction has it
	deed    *deed // what came of the draft's act, nil for what has none and what was refused
}

// payloadHash tells two payloads apart that came with one client id.
type payloadHash [16]byte

// entryOverhead stands for what an entry and its draft take besides their contents.
const entryOverhead = 512

// newEntry does, on the sender's goroutine, what needs no transaction.
func newEntry(d *biz.Draft, done func(biz.Receipt, error)) (*entry, error) {
	md, err := encodeMetadata(d.Metadata)
	if err != nil {
		return nil, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "the metadata cannot be stored").Because(err)
	}
	e := &entry{draft: d, done: done, metadata: md, size: len(d.Content) + len(md) + entryOverhead, asked: time.Now()}
	if d.Act == nil {
		e.refs = biz.AudioRefs(&d.Message)
	}
	if d.ClientID == "" {
		return e, nil
	}
	if d.Sent == nil {
		e.hash = hashPayload(d, d.Content, md)
		return e, nil
	}
	if md, err = encodeMetadata(d.Sent.Metadata); err != nil {
		return nil, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "the metadata cannot be stored").Because(err)
	}
	e.hash = hashPayload(d, d.Sent.Content, md)
	return e, nil
}

// besides is what a few drafts say besides content and metadata, and nothing for all others: their hashes are
// stored already.
func besides(d *biz.Draft) []byte {
	var target int64
	if d.Act != nil {
		target = d.Act.Needs().Message
	}
	if d.ReplyTo == 0 && len(d.Mentions) == 0 && d.ExpiresIn == 0 && target == 0 {
		return nil
	}
	return fmt.Appendf(nil, "%d %d %d %q", d.ReplyTo, d.ExpiresIn, target, d.Mentions)
}

// hashPayload covers what was said; whether an ack is wanted is no part of that. Content and metadata are those
// that the client sent, whatever an interceptor has made of them.
func hashPayload(d *biz.Draft, content, metadata []byte) payloadHash {
	var prefix [12]byte
	binary.BigEndian.PutUint32(prefix[:], uint32(d.Type))
	binary.BigEndian.PutUint64(prefix[4:], uint64(len(content)))
	h := sha256.New()
	for _, part := range [][]byte{prefix[:], content, metadata, besides(d)} {
		_, _ = h.Write(part) // never fails, by the contract of hash.Hash
	}
	var sum [sha256.Size]byte
	return payloadHash(h.Sum(sum[:0])[:len(payloadHash{})])
}

// heldClaim is a claim with the outcome that it stands for.
type heldClaim struct {
	hash    []byte
	receipt biz.Receipt
}

// repeat gives an entry the outcome of the first with its id, or refuses it if it is another.
func (e *entry) repeat(c heldClaim) {
	if !bytes.Equal(c.hash, e.hash[:]) {
		e.receipt, e.err = biz.Receipt{}, errConflict(e.draft.ClientID)
		return
	}
	e.receipt = c.receipt
}

func failAll(entries []*entry, err error) {
	for _, e := range entries {
		e.receipt, e.err, e.deed = biz.Receipt{}, err, nil
	}
}

func errStopped() error {
	return biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "the node is stopping")
}

func errOverloaded() error {
	return biz.Errorf(biz.KindUnavailable, "STORE_OVERLOADED", "too many messages are waiting to be stored")
}

func errConflict(clientID string) error {
	return biz.Errorf(biz.KindConflict, "MESSAGE_ID_CONFLICT", "message_id %q was used for another message", clientID)
}

// failureReason is the label under which a failure counts.
func failureReason(err error) string {
	e := biz.AsError(err)
	switch {
	case e.Reason == "STORE_OVERLOADED":
		return failOverloaded
	case e.Kind == biz.KindUnavailable:
		return failUnavailable
	case e.Kind == biz.KindConflict:
		return failConflict
	case e.Kind == biz.KindNotFound:
		return failUnknownRoom
	}
	return failRefused
}
