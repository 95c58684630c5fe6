package e2e

import (
	"slices"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

const mebibyte = 1 << 20

// TestUploadIsStreamed: an upload of 30 MiB while 1,000 others chat does not pass through the node's
// memory. What is compared is the live heap, since everything else follows the collector's rhythm, and
// medians of it, since what the chat has on its way at the moment varies.
func TestUploadIsStreamed(t *testing.T) {
	n := Start(t, "server:\n  ops:\n    pprof: true\n")
	f := newFleet(t, 1000, injected(n))
	defer f.disconnect()
	f.startTalking(500 * time.Millisecond)
	f.everybodyHears(5)
	const size, step = 30 * mebibyte, 5 * mebibyte
	var before, during []float64
	for range size / step {
		before = append(before, n.liveHeap())
	}
	rss := n.Metric("process_resident_memory_bytes")
	stream, err := n.Calls().UploadAudio(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	send := func(req *imv1.UploadAudioRequest) {
		t.Helper()
		if err := stream.Send(req); err != nil {
			t.Fatal(stream.RecvMsg(&imv1.UploadAudioResponse{})) // Send says only that it is over
		}
	}
	send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Metadata{Metadata: &imv1.AudioMetadata{
		UserId: f.members[0].user, RoomId: f.members[0].room, Format: "opus", Size: size, Duration: 900,
	}}})
	chunk := make([]byte, 32<<10)
	for sent := len(chunk); sent <= size; sent += len(chunk) {
		send(&imv1.UploadAudioRequest{Data: &imv1.UploadAudioRequest_Chunk{Chunk: chunk}})
		if sent%step == 0 {
			during = append(during, n.liveHeap())
		}
	}
	resp, err := stream.CloseAndRecv()
	if err != nil || resp.GetAudioId() == "" {
		t.Fatalf("%v, %v", resp, err)
	}
	chat, upload := median(before), median(during)
	t.Logf("live heap: %.1f MiB before, %.1f MiB during the upload; resident: %.1f and %.1f MiB",
		chat/mebibyte, upload/mebibyte, rss/mebibyte, n.Metric("process_resident_memory_bytes")/mebibyte)
	if grown := upload - chat; grown >= 2*mebibyte {
		t.Errorf("the live heap grew by %.1f MiB", grown/mebibyte)
	}
	f.stopTalking()
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// liveHeap is what the node's heap holds after a collection, in bytes: the least of a few readings,
// since the node goes on allocating between the collection and the reading.
func (n *Node) liveHeap() float64 {
	n.t.Helper()
	least := 0.0
	for i := range 5 {
		if status, _ := n.Page("/debug/pprof/heap?gc=1"); status != 200 {
			n.t.Fatalf("status %d", status)
		}
		heap := n.Metric("go_memstats_heap_alloc_bytes")
		if i == 0 || heap < least {
			least = heap
		}
	}
	return least
}
