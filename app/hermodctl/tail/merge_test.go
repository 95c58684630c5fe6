package tail

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestMerge: rooms that are fetched page by page come out by time, each in its own order also where a clock
// has gone back, and nothing is lost or added.
func TestMerge(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)
	for range 200 {
		var lanes []*lane
		logs := map[string][]*imv1.MessageResponse{}
		for room := range rand.IntN(5) {
			id := strconv.Itoa(room)
			at := begin
			for seq := range rand.Int64N(30) {
				at = at.Add(time.Duration(rand.IntN(2000)) * time.Millisecond)
				said := at
				if rand.IntN(10) == 0 {
					said = at.Add(-time.Minute) // by a node whose clock is wrong
				}
				logs[id] = append(logs[id], &imv1.MessageResponse{RoomId: id, Seq: seq + 1, Timestamp: timestamppb.New(said)})
			}
			lanes = append(lanes, &lane{room: id, last: int64(len(logs[id]))})
		}
		var got []*imv1.MessageResponse
		err := merge(lanes, func(l *lane) error {
			rest := logs[l.room][l.fetched:]
			l.take(rest[:min(len(rest), 1+rand.IntN(4))])
			return nil
		}, func(m *imv1.MessageResponse) error { got = append(got, m); return nil })
		if err != nil {
			t.Fatal(err)
		}
		checkMerged(t, got, logs)
	}
}

func checkMerged(t *testing.T, got []*imv1.MessageResponse, logs map[string][]*imv1.MessageResponse) {
	t.Helper()
	latest := map[string]time.Time{} // of each room, as far as its clock went forward
	var last time.Time
	seqs := map[string]int64{}
	for _, m := range got {
		room := m.GetRoomId()
		if seqs[room]++; m.GetSeq() != seqs[room] {
			t.Fatalf("room %s: %d comes where %d is due", room, m.GetSeq(), seqs[room])
		}
		if at := m.GetTimestamp().AsTime(); at.After(latest[room]) {
			latest[room] = at
		}
		if latest[room].Before(last) {
			t.Fatalf("room %s: %v comes after %v", room, latest[room], last)
		}
		last = latest[room]
	}
	for room, log := range logs {
		if seqs[room] != int64(len(log)) {
			t.Fatalf("room %s: %d of %d", room, seqs[room], len(log))
		}
	}
}

// TestMergeEnds with the first failure, of fetching and of showing.
func TestMergeEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	full := []*lane{{room: "a", last: 9, here: []*imv1.MessageResponse{{Seq: 1}, {Seq: 2}}}}
	shown := 0
	err := merge(slices.Clone(full), ended, func(*imv1.MessageResponse) error { shown++; return broken })
	if !errors.Is(err, broken) || shown != 1 {
		t.Errorf("got %v after %d", err, shown)
	}
	if err := merge([]*lane{{}}, func(*lane) error { return broken }, nil); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
