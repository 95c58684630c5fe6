package data

import (
	"context"
	"database/sql"
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

const updateMark = `UPDATE members SET read_seq = ? WHERE room_id = ? AND user_id = ? AND read_seq < ?`

// MarkRead raises the mark of a member, and never lowers it. Marks that are set at the same time are
// committed together.
func (h *History) MarkRead(ctx context.Context, room biz.RoomID, user biz.UserID, seq int64) error {
	return h.db.writer.do(ctx, func(t *tx) error {
		_, err := t.exec(updateMark, seq, string(room), string(user), seq)
		return err
	}, func() {})
}

// readForUnread is how many messages one call of Unread reads the senders of before it leaves the rest to
// the next one: what a file that is not in memory takes a few milliseconds for.
const readForUnread = 2 * biz.MaxUnread

// Unread counts, for each span, the messages that are not the user's own, up to most. It may answer for the
// first of the spans alone, when the senders of many messages have to be read for that.
func (h *History) Unread(ctx context.Context, user biz.UserID, spans []biz.Span, most int) ([]int, error) {
	c := counting{senders: h.db.senders, user: user, most: most, at: make([]int64, len(spans)), counts: make([]int, len(spans)), spans: spans}
	for i, s := range spans {
		c.at[i] = s.To
	}
	for left := int64(readForUnread); ; {
		missing := c.count()
		if len(missing) == 0 {
			return c.counts, nil
		}
		if n := c.done(); n > 0 && left <= 0 {
			return c.counts[:n], nil
		}
		missing, left = affordable(missing, left)
		if err := h.readSenders(ctx, missing); err != nil {
			return nil, err
		}
	}
}

// affordable takes spans from the front that have no more messages than are left, one at least.
func affordable(spans []biz.Span, left int64) ([]biz.Span, int64) {
	for i, s := range spans {
		if left -= s.To - s.After; left <= 0 {
			return spans[:i+1], left
		}
	}
	return spans, left
}

// counting goes down each span from its end, as far as senders are remembered.
type counting struct {
	senders *senders
	user    biz.UserID
	most    int
	spans   []biz.Span
	at      []int64 // what is above is counted
	counts  []int
}

func (c *counting) finished(i int) bool { return c.at[i] <= c.spans[i].After || c.counts[i] >= c.most }

// done is how many of the spans are finished, from the first one on.
func (c *counting) done() (n int) {
	for n < len(c.spans) && c.finished(n) {
		n++
	}
	return n
}

// count counts what it can, and returns what has to be read to go on.
func (c *counting) count() (missing []biz.Span) {
	for i, s := range c.spans {
		for !c.finished(i) {
			k := blockOf(s.Room, c.at[i])
			b := c.senders.get(k)
			if known := k.before() + int64(len(b.who)); known < c.at[i] {
				missing = append(missing, c.missing(i, k, known))
				break
			}
			from := max(s.After, k.before())
			c.counts[i] = min(c.most, c.counts[i]+b.others(c.user, from-k.before(), c.at[i]-k.before()))
			c.at[i] = from
		}
	}
	return missing
}

// missing is what of a span to read next: the rest of a block that others have been written to since, or
// whole blocks, with as many messages as may still be counted.
func (c *counting) missing(i int, k blockKey, known int64) biz.Span {
	if known == k.before() {
		low := max(c.spans[i].After, c.at[i]-int64(c.most-c.counts[i]))
		known = blockOf(k.room, low+1).before()
	}
	return biz.Span{Room: k.room, After: known, To: c.at[i]}
}

// speaker is the sender of a message, and nobody of one that only tells of an event: that is nothing to read. What is
// told of a recording has its id beside the event.
var speaker = `CASE WHEN type = 4 AND (metadata IN (` + eventMetadata() + `)
	OR metadata LIKE '{"` + biz.MetaAudioID + `":"%","event_type":"` + string(biz.EventTranscriptCompleted) + `"}'
	OR metadata LIKE '{"` + biz.MetaAudioID + `":"%","event_type":"` + string(biz.EventTranscriptFailed) + `"}') THEN '' ELSE sender END`

// eventMetadata are the metadata of what acts tell.
func eventMetadata() string {
	var all []string
	for _, t := range biz.StoredEvents {
		all = append(all, `'{"event_type":"`+string(t)+`"}'`)
	}
	return strings.Join(all, ", ")
}

var selectSenders = `SELECT seq, ` + speaker + ` FROM messages WHERE room_id = ? AND seq > ? AND seq <= ? ORDER BY seq`

var selectManySenders = `SELECT part, seq, speaker FROM (` + unionOf(spansAtOnce, func(i string) string {
	return `SELECT ` + i + ` AS part, seq, ` + speaker + ` AS speaker FROM messages WHERE room_id = ? AND seq > ? AND seq <= ?`
}) + `) AS parts ORDER BY part, seq`

// readSenders remembers who has sent the messages of the spans. A span begins where what is remembered of
// a block ends.
func (h *History) readSenders(ctx context.Context, spans []biz.Span) error {
	for part := range h.db.atOnce(spans) {
		found := make([][]sent, len(part))
		query, args := sendersOf(part)
		err := h.db.reader.each(ctx, query, args, func(rows *sql.Rows) error {
			var i int
			var m sent
			dest := []any{&i, &m.seq, &m.sender}
			if len(part) == 1 {
				dest = dest[1:]
			}
			err := rows.Scan(dest...)
			found[i] = append(found[i], m)
			return err
		})
		if err != nil {
			return storeError(err)
		}
		for i, s := range part {
			h.db.metrics.lookedBack.WithLabelValues("unread").Add(float64(len(found[i])))
			h.db.senders.remember(s, found[i])
		}
	}
	return nil
}

type sent struct {
	seq    int64
	sender string
}

func sendersOf(spans []biz.Span) (query string, args []any) {
	for _, s := range spans {
		args = append(args, string(s.Room), s.After, s.To)
	}
	if len(spans) == 1 {
		return selectSenders, args
	}
	for range spansAtOnce - len(spans) {
		args = append(args, "", int64(0), int64(0))
	}
	return selectManySenders, args
}

// remember adds the messages of a span to what is known of its blocks.
func (s *senders) remember(span biz.Span, messages []sent) {
	for at := span.After; at < span.To; {
		k := blockOf(span.Room, at+1)
		b, end := s.get(k).clone(), min(span.To, k.before()+senderBlock)
		known := int64(len(b.who)) >= at-k.before()
		if known { // and perhaps more, if somebody else was faster
			b.who = b.who[:at-k.before()]
		}
		for ; at < end; at++ {
			sender := absent
			if len(messages) > 0 && messages[0].seq == at+1 {
				sender, messages = biz.UserID(messages[0].sender), messages[1:]
			}
			b.add(sender)
		}
		if known { // or the beginning was forgotten meanwhile
			s.put(k, b)
		}
	}
}
