package data

import (
	"database/sql"
	"errors"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// maxFailedCommits bounds how often a batch is tried again in smaller parts. Eight refused rows
// are found among 512 that way; if there are more, the fault is hardly theirs.
const maxFailedCommits = 64

// committer turns batches into transactions. One goroutine uses it.
type committer struct {
	db     *DB
	queue  *queue
	window time.Duration
	events biz.EventEncoder
	logger *slog.Logger
	groups groups
	// broken is set while the store is unavailable: what is worth a line is the change.
	broken bool
	// wary is how many batches yet are looked through for ids that are taken, before they are written in bulk.
	wary int
	part []*entry // of the transaction at hand
	open bool     // others may join them yet
	// doubt is the last transaction if it may have been committed, nil if that is known.
	doubt *doubt
}

// waryBatches is for how long a repetition is taken as a sign of more.
const waryBatches = 64

func newCommitter(db *DB, q *queue, opts LogOptions, logger *slog.Logger) *committer {
	return &committer{db: db, queue: q, window: opts.IdempotencyWindow, events: opts.Events, logger: logger, groups: groups{at: make(map[biz.RoomID]int)}}
}

// commit gives every entry of the batch its outcome, and returns the batch with those that have joined it, behind what
// was found to be stored before.
func (c *committer) commit(batch []*entry) []*entry {
	found, err := c.resolve(batch[len(batch)-1].asked)
	if err != nil {
		c.report(err)
		failAll(batch, unavailable(err))
		c.count(batch)
		return batch
	}
	failures := 0
	c.open = true
	batch = c.store(batch, &failures)
	c.count(batch)
	if found == nil { // as ever, but behind an outage
		return batch
	}
	return append(found, batch...)
}

// store commits part as a whole or, if the database refuses something in it, each half by itself,
// so that one bad row never fails its neighbours. A database that does not work at all is not
// asked again for every row.
func (c *committer) store(part []*entry, failures *int) []*entry {
	part, err := c.transact(part)
	c.open = false
	if err == nil {
		c.report(nil)
		return part
	}
	*failures++
	switch {
	case faultOf(err) != rowFault || *failures >= maxFailedCommits:
		c.report(err)
		if errors.As(err, new(unsure)) {
			c.doubt = c.doubtOf(part)
		}
		failAll(part, unavailable(err))
	case len(part) == 1:
		c.logger.Warn("message refused by the store", "room", part[0].draft.Room, "error", err)
		failAll(part, storeError(err))
	default:
		half := len(part) / 2
		c.store(part[:half], failures)
		if c.doubt != nil { // which comes first
			failAll(part[half:], unavailable(err))
			break
		}
		c.store(part[half:], failures)
	}
	return part
}

func (c *committer) report(err error) {
	switch {
	case err != nil && !c.broken:
		c.logger.Error("the store is unavailable; messages are refused", "error", err)
	case err == nil && c.broken && c.db.writer.failed.Load() == nil:
		c.logger.Info("the store is available again")
	default:
		return
	}
	c.broken = err != nil
}

// transact commits part, and returns it with those that have joined it.
func (c *committer) transact(part []*entry) ([]*entry, error) {
	start := time.Now()
	c.part = part
	c.groups.fill(part)
	// Readers compare times that were delivered with times that were stored.
	now := time.UnixMicro(start.UnixMicro()).UTC()
	var err error
	if c.db.dialect.bulk == nil {
		err = c.perform(part, now, c.write)
	} else {
		err = c.transactBulk(part, now)
	}
	part, c.part = c.part, nil
	c.db.metrics.batches.Inc()
	c.db.metrics.batchRows.Observe(float64(len(part)))
	c.db.metrics.commitTime.Observe(time.Since(start).Seconds())
	return part, err
}

// join takes along what has come for the batch's rooms while their locks were waited for. Nodes that write to the same
// rooms take turns, and what is said meanwhile would have to wait for another turn.
func (c *committer) join() {
	if !c.open {
		return
	}
	c.open = false
	for _, e := range c.queue.join(c.part, c.groups.at) {
		g := &c.groups.list[c.groups.at[e.draft.Room]]
		g.entries = append(g.entries, e)
		c.part = append(c.part, e)
	}
}

// transactBulk takes the clients' ids to be new, which they nearly always are, and does it again, looking them
// up first, when the schema has refused one that is not.
func (c *committer) transactBulk(part []*entry, now time.Time) error {
	for {
		err := c.perform(part, now, c.writeBulk)
		if c.wary > 0 {
			c.wary--
			return err
		}
		if !isDuplicate(err) {
			return err
		}
		c.wary = waryBatches
	}
}

func (c *committer) perform(part []*entry, now time.Time, write func(*tx, time.Time) error) error {
	return c.db.writer.perform(transaction{
		asked:     part[len(part)-1].asked, // nobody later
		limit:     2 * c.db.writer.timeout, // a statement that is slow may be; all of them may not
		run:       func(t *tx) error { return write(t, now) },
		committed: func() { c.raiseHeads(now) },
	})
}

func (c *committer) write(t *tx, now time.Time) error {
	for i := range c.groups.list {
		if err := c.writeGroup(t, &c.groups.list[i], now); err != nil {
			return err
		}
	}
	return nil
}

// writeGroup gives the entries of one room the next numbers after its head.
func (c *committer) writeGroup(t *tx, g *group, now time.Time) error {
	err := t.scan(selectHead, []any{string(g.room)}, &g.head, &g.version)
	if errors.Is(err, sql.ErrNoRows) {
		failAll(g.entries, biz.ErrRoomNotFound(g.room))
		return nil
	}
	if err != nil {
		return err
	}
	g.begin()
	before := g.head
	for _, e := range g.entries {
		if err := c.writeEntry(t, g, e, now); err != nil {
			return err
		}
	}
	if g.head == before {
		return nil
	}
	g.stored = true
	_, err = t.exec(updateHead, g.head, now.UnixMicro(), string(g.room))
	return err
}

func (c *committer) writeEntry(t *tx, g *group, e *entry, now time.Time) error {
	if e.draft.Act != nil || g.gone {
		return c.writeAct(t, g, e, now)
	}
	if err := permit(t, g, e); err != nil {
		return err
	}
	if e.err = e.refused; e.err != nil {
		e.receipt = biz.Receipt{}
		return nil
	}
	seq := g.head + 1
	m := e.draft.Message
	m.ID, m.Seq, m.Time = biz.NewMessageID(g.room, seq, now), seq, now
	if e.err = e.complete(&m, g.head); e.err != nil {
		e.receipt = biz.Receipt{}
		return nil
	}
	e.receipt = biz.Receipt{ID: m.ID, Seq: seq, Time: now}
	if e.draft.ClientID != "" {
		if taken, err := c.claim(t, e); taken || err != nil {
			return err
		}
	}
	g.head = seq
	return storeMessage(t, e, &m, e.metadata)
}

// raiseHeads runs after the commit and before anybody is told of it.
func (c *committer) raiseHeads(now time.Time) {
	for i := range c.groups.list {
		g := &c.groups.list[i]
		c.db.memory.stored(g, now)
		c.announce(g)
	}
}

// announce tells who follows what this node stores.
func (c *committer) announce(g *group) {
	if g.stored {
		c.db.wanted.hear(g.room)
		if c.db.stored != nil {
			c.db.stored(g.room)
		}
	}
	for _, change := range g.changes {
		c.db.tell(change)
	}
}

func (c *committer) count(batch []*entry) {
	for _, e := range batch {
		switch {
		case e.err != nil:
			c.db.metrics.failures.WithLabelValues(failureReason(e.err)).Inc()
		case e.receipt.Duplicate:
			c.db.metrics.duplicates.Inc()
		}
	}
}

// groups are the entries of a batch by room. The memory serves batch after batch.
type groups struct {
	list []group
	at   map[biz.RoomID]int
}

type group struct {
	room    biz.RoomID
	entries []*entry
	head    int64
	version int64
	met     map[biz.UserID]*biz.Member // who was read anew or changed, nil for who is no member
	exists  bool                       // where that is known before anything is written
	stored  bool                       // something was

	// What acts have made of the room.
	info    *biz.Room // nil before the first act
	changes []Change  // one for each time that the version was raised
	gone    bool      // deleted
}

// begin forgets an attempt that came to nothing: a transaction may be tried again.
func (g *group) begin() { g.met, g.stored, g.info, g.changes, g.gone = nil, false, nil, nil, false }

func (gs *groups) fill(entries []*entry) {
	gs.list = gs.list[:0]
	clear(gs.at)
	for _, e := range entries {
		i, ok := gs.at[e.draft.Room]
		if !ok {
			i = gs.add(e.draft.Room)
			gs.at[e.draft.Room] = i
		}
		gs.list[i].entries = append(gs.list[i].entries, e)
	}
}

func (gs *groups) add(room biz.RoomID) int {
	i := len(gs.list)
	if i == cap(gs.list) {
		gs.list = append(gs.list, group{})
	}
	gs.list = gs.list[:i+1]
	g := &gs.list[i]
	*g = group{room: room, entries: g.entries[:0]}
	return i
}
