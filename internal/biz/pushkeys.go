package biz

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"sync"
	"time"
)

// PushKeyLife is how long a key is remembered.
const PushKeyLife = 24 * time.Hour

// PushKey names a request as its caller does.
type PushKey struct {
	Caller string // Identity.Subject; empty for services without a name
	Key    string
}

// PushRecord is what is remembered of a request.
type PushRecord struct {
	Hash   [sha256.Size]byte // of all that the request says
	PushID string
	Time   time.Time   // of the push
	Answer *PushAnswer // nil: begun, and not known to have ended
}

// PushAnswer is what a request was answered.
type PushAnswer struct {
	Results   []PushResult    // of a push or batch
	Broadcast BroadcastCounts // of a broadcast
}

// PushKeys remembers requests for PushKeyLife, over restarts too.
type PushKeys interface {
	// Begin remembers r under k before anything is pushed. If the key is taken, it changes nothing and
	// returns what is remembered.
	Begin(ctx context.Context, k PushKey, r PushRecord) (earlier *PushRecord, err error)
	// Finish adds the answer to what was begun. It tells nobody when it fails: what was pushed was
	// pushed, and a repetition finds the request begun.
	Finish(ctx context.Context, k PushKey, a PushAnswer)
}

// keyedRequest is a request that is to take effect once.
type keyedRequest struct {
	key  PushKey
	hash [sha256.Size]byte
	p    *Push
	push func(context.Context) (PushAnswer, error)
	// lost answers a request that was begun by a node which stopped in the middle, so that nobody knows
	// how far it got. nil: it is pushed again, under its first id.
	lost func(context.Context) (PushAnswer, error)
}

// onceByKey lets a request through once. Its lock is held for moments: whoever comes while the first
// is under way waits for its end.
type onceByKey struct {
	keys      PushKeys
	elsewhere func(context.Context, PushKey) bool // whether another node is at it
	mu        sync.Mutex
	running   map[PushKey]*keyedCall
}

func newOnceByKey(keys PushKeys, elsewhere func(context.Context, PushKey) bool) *onceByKey {
	return &onceByKey{keys: keys, elsewhere: elsewhere, running: make(map[PushKey]*keyedCall)}
}

// atWork tells whether this node is at a request that it has begun.
func (c *onceByKey) atWork(k PushKey) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	call := c.running[k]
	return call != nil && call.begun
}

func (c *onceByKey) begin(call *keyedCall) {
	c.mu.Lock()
	defer c.mu.Unlock()
	call.begun = true
}

// keyedCall is a request under way. answer and err are valid once done is closed.
type keyedCall struct {
	hash   [sha256.Size]byte
	begun  bool // it is more than a question; under onceByKey.mu
	done   chan struct{}
	answer PushAnswer
	err    error
}

// do answers a request: by pushing if it is the first of its key, otherwise by what the first was
// answered, with repeated set.
func (c *onceByKey) do(ctx context.Context, r keyedRequest) (a PushAnswer, repeated bool, err error) {
	call, first := c.enter(r)
	if first {
		defer c.leave(r.key, call)
		call.answer, repeated, call.err = c.first(ctx, r, call)
		return call.answer, repeated, call.err
	}
	if call.hash != r.hash {
		return PushAnswer{}, false, errKeyConflict(r.key)
	}
	select {
	case <-call.done:
		return call.answer, true, call.err
	case <-ctx.Done():
		return PushAnswer{}, true, ctx.Err()
	}
}

func (c *onceByKey) enter(r keyedRequest) (call *keyedCall, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if running := c.running[r.key]; running != nil {
		return running, false
	}
	// The error is for those who wait, if push panics.
	call = &keyedCall{hash: r.hash, done: make(chan struct{}), err: Errorf(KindInternal, "PUSH_FAILED", "the push has failed")}
	c.running[r.key] = call
	return call, true
}

func (c *onceByKey) leave(k PushKey, call *keyedCall) {
	c.mu.Lock()
	delete(c.running, k)
	c.mu.Unlock()
	close(call.done)
}

// first handles a request that no other one of this node is in front of. What is remembered does not
// depend on a caller who goes away: others may wait for the answer, or ask for it later.
func (c *onceByKey) first(ctx context.Context, r keyedRequest, call *keyedCall) (a PushAnswer, repeated bool, err error) {
	storing := context.WithoutCancel(ctx)
	push := r.push
	earlier, err := c.earlier(ctx, r)
	c.begin(call)
	switch {
	case err != nil:
		return PushAnswer{}, false, err
	case earlier == nil:
	case earlier.Hash != r.hash:
		return PushAnswer{}, false, errKeyConflict(r.key)
	case earlier.Answer != nil:
		return *earlier.Answer, true, nil
	case r.lost != nil:
		push = r.lost
	default:
		r.p.begunAt(earlier.PushID, earlier.Time)
	}
	a, err = push(ctx)
	if err == nil && !a.failed() { // otherwise the request may come again, and finds it begun
		c.keys.Finish(storing, r.key, a)
	}
	return a, false, err
}

// atWorkEvery is how often another node is asked that is at a request.
const atWorkEvery = 200 * time.Millisecond

// earlier returns what is remembered of a request, or nil and remembers it. One that another node is at is
// waited for.
func (c *onceByKey) earlier(ctx context.Context, r keyedRequest) (earlier *PushRecord, err error) {
	again := time.NewTicker(atWorkEvery)
	defer again.Stop()
	for {
		before := earlier
		earlier, err = c.keys.Begin(context.WithoutCancel(ctx), r.key, PushRecord{Hash: r.hash, PushID: r.p.ID, Time: r.p.Time})
		if err != nil || earlier == nil || earlier.Answer != nil || earlier.Hash != r.hash {
			return earlier, err
		}
		if !c.elsewhere(ctx, r.key) {
			if before != nil && before.PushID == earlier.PushID || ctx.Err() != nil {
				return earlier, ctx.Err()
			}
			continue // it may have ended between the two questions: its answer is there then
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// failed tells whether nobody got the push, and the node itself is the reason for somebody.
func (a PushAnswer) failed() bool {
	failed := false
	for _, r := range a.Results {
		if r.Err == nil || r.Outcome == OutcomeUnknown {
			return false
		}
		failed = failed || r.Err.Unwrap() != nil
	}
	return failed
}

func errKeyConflict(k PushKey) *Error {
	return Errorf(KindConflict, "IDEMPOTENCY_CONFLICT", "idempotency-key %s was used for another request within 24 hours", quote(k.Key))
}

// pushOnce is pushAll for a request with a key. An error with repeated set is one about an earlier
// request.
func (s *Pushes) pushOnce(ctx context.Context, method string, targets []Target, denied denials, p *Push, o PushOptions) (results []PushResult, repeated bool, err error) {
	if err := denied.undecided(); err != nil {
		return nil, false, err
	}
	push := func(ctx context.Context) (PushAnswer, error) {
		// The wait ends with the caller; what is to be stored is stored.
		return PushAnswer{Results: s.pushAll(storable(ctx, o), targets, denied, p, o)}, nil
	}
	lost := func(context.Context) (PushAnswer, error) { return PushAnswer{Results: lostPush(targets, o.Key)}, nil }
	if o.StoreOffline {
		lost = nil // it must not get lost, and its id tells clients that it is the same
	}
	var a PushAnswer
	a, repeated, err = s.once.do(ctx, keyedRequest{
		key: pushKey(ctx, o), hash: fingerprint(method, targets, p, o), p: p, push: push, lost: lost,
	})
	if err != nil {
		return nil, repeated, err
	}
	results = slices.Clone(a.Results) // others may have the same answer
	for i := range results {
		results[i].Repeated = repeated
	}
	return results, repeated, nil
}

func pushKey(ctx context.Context, o PushOptions) PushKey {
	return PushKey{Caller: IdentityFrom(ctx).Subject, Key: o.Key}
}

// storable returns the context for a request that stores: it does not end with its caller, unless it
// is to wait, in which case pushAcked does the same for what it stores.
func storable(ctx context.Context, o PushOptions) context.Context {
	if o.AckWithin > 0 {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// lostPush answers a request of which nobody knows how far it got.
func lostPush(targets []Target, key string) []PushResult {
	results := make([]PushResult, len(targets))
	for i, t := range targets {
		if _, err := t.recipient(); err != nil {
			results[i] = rejected(err)
			continue
		}
		results[i] = PushResult{Outcome: OutcomeUnknown, Err: errLost(KindUnavailable, key)}
	}
	return results
}

func errLost(kind Kind, key string) *Error {
	return Errorf(kind, "UNKNOWN", "the node stopped while it pushed under idempotency-key %s; whether the push arrived is not known, and it needs another key to be made again", quote(key))
}

// fingerprint covers everything that makes two requests the same one. How long a caller would wait is
// no part of it: who asks again has less time left.
func fingerprint(method string, targets []Target, p *Push, o PushOptions) (sum [sha256.Size]byte) {
	h := sha256.New()
	var options [2]byte
	if o.StoreOffline {
		options[0] = 1
	}
	if o.AckWithin > 0 {
		options[1] = 1
	}
	if o.TTL > 0 { // nothing is written without one: keys that are stored already keep their meaning
		write(h, "ttl", o.TTL.String())
	}
	write(h, method, string(options[:]), o.Bound, p.MsgType, p.Title, p.Content, string(p.Data))
	for _, t := range targets {
		write(h, "target", t.Type, t.ID)
	}
	for _, k := range slices.Sorted(maps.Keys(p.Metadata)) {
		write(h, "metadata", k, p.Metadata[k])
	}
	return [sha256.Size]byte(h.Sum(sum[:0]))
}

// write adds texts so that no two lists of them look alike. A hash never fails to take them.
func write(h hash.Hash, texts ...string) {
	for _, s := range texts {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		_, _ = h.Write(n[:])
		_, _ = h.Write([]byte(s))
	}
}
