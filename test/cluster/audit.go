package cluster

import (
	"fmt"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// auditLog compares the log of a room with what was said there (A1, A2, A3): every acknowledged message stands at its
// place and nothing twice, and there are no holes.
func auditLog(log []*imv1.MessageResponse, said map[string]speech) (faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	found := map[string]bool{}
	for i, f := range log {
		content := string(f.GetContent())
		m, known := said[content]
		if f.GetSeq() != int64(i+1) {
			wrong("place %d has seq %d", i+1, f.GetSeq())
		}
		if found[content] {
			wrong("%q came twice", content)
		}
		found[content] = true
		switch {
		case !known:
			wrong("%q was never said", content)
		case m.user != f.GetFromUserId():
			wrong("%q was said by %s and stored as if by %s", content, m.user, f.GetFromUserId())
		case m.seq != 0 && (m.seq != f.GetSeq() || m.id != f.GetMessageId()):
			wrong("%q was acknowledged as %d %s and stored as %d %s", content, m.seq, m.id, f.GetSeq(), f.GetMessageId())
		}
	}
	for content, m := range said {
		if m.seq != 0 && !found[content] {
			wrong("%q was acknowledged as %d and is lost", content, m.seq)
		}
	}
	return faults
}

// auditEar compares what a member from the beginning has heard with the log of his room (A4, A5, A7): every line of the
// others, once, at its place, in the order of the log.
func auditEar(user string, heard []line, log []*imv1.MessageResponse) (faults []string) {
	wrong := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(user+": "+format, args...)) }
	times, last := map[int64]int{}, int64(0)
	for _, l := range heard {
		switch {
		case l.seq < 1 || l.seq > int64(len(log)):
			wrong("heard %d %q, which is not in the log", l.seq, l.content)
			continue
		case string(log[l.seq-1].GetContent()) != l.content || log[l.seq-1].GetFromUserId() != l.from:
			wrong("heard %q of %s at %d, where the log has %q of %s", l.content, l.from, l.seq, log[l.seq-1].GetContent(), log[l.seq-1].GetFromUserId())
		case l.seq <= last:
			wrong("heard %d %q after %d", l.seq, l.content, last)
		}
		times[l.seq]++
		last = max(last, l.seq)
	}
	for _, f := range log {
		if n := times[f.GetSeq()]; n == 0 && f.GetFromUserId() != user {
			wrong("has not heard %d %q", f.GetSeq(), f.GetContent())
		}
	}
	return faults
}
