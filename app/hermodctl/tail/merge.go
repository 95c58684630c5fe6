package tail

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// A lane is what is to be shown of one room, in the order of seq.
type lane struct {
	room    string
	fetched int64                   // up to here it was
	last    int64                   // the seq that ends it
	here    []*imv1.MessageResponse // fetched and not shown
	at      time.Time               // of here[0], or of one before it if that is later
}

// take adds what belongs to the lane of messages that come behind those that it has.
func (l *lane) take(messages []*imv1.MessageResponse) {
	for _, m := range messages {
		if m.GetSeq() > l.fetched && m.GetSeq() <= l.last {
			l.here = append(l.here, m)
			l.fetched = m.GetSeq()
		}
	}
	l.stamp()
}

// pop returns the next message.
func (l *lane) pop() *imv1.MessageResponse {
	m := l.here[0]
	l.here = l.here[1:]
	l.stamp()
	return m
}

// stamp keeps the order of seq where a clock has gone back.
func (l *lane) stamp() {
	if len(l.here) == 0 {
		return
	}
	if t := l.here[0].GetTimestamp().AsTime(); t.After(l.at) {
		l.at = t
	}
}

// lanes is a heap: the first one has the oldest message.
type lanes []*lane

func (l lanes) Len() int      { return len(l) }
func (l lanes) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l lanes) Less(i, j int) bool {
	return cmp.Or(l[i].at.Compare(l[j].at), cmp.Compare(l[i].room, l[j].room)) < 0
}

// Push implements heap.Interface.
func (l *lanes) Push(x any) { *l = append(*l, x.(*lane)) }

// Pop implements heap.Interface.
func (l *lanes) Pop() any {
	last := (*l)[len(*l)-1]
	*l = slices.Delete(*l, len(*l)-1, len(*l))
	return last
}

// merge hands the messages of all lanes to show, the oldest first. refill is called for a lane that is
// empty; when it leaves it so, the lane has ended.
func merge(all []*lane, refill func(*lane) error, show func(*imv1.MessageResponse) error) error {
	var open lanes
	for _, l := range all {
		if err := fill(l, refill); err != nil {
			return err
		}
		if len(l.here) > 0 {
			open = append(open, l)
		}
	}
	heap.Init(&open)
	for len(open) > 0 {
		l := open[0]
		if err := show(l.pop()); err != nil {
			return err
		}
		if err := fill(l, refill); err != nil {
			return err
		}
		if len(l.here) == 0 {
			heap.Pop(&open)
			continue
		}
		heap.Fix(&open, 0)
	}
	return nil
}

func fill(l *lane, refill func(*lane) error) error {
	if len(l.here) > 0 {
		return nil
	}
	return refill(l)
}
