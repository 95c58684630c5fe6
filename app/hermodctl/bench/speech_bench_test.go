package bench

import (
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// BenchmarkTake is what a client spends on a message that comes in an envelope of 64. Clients take a
// processor's time from the node that they load.
func BenchmarkTake(b *testing.B) {
	c, _ := talker(Plan{Protocol: IM, Size: 128})
	envelope := &imv1.MessageResponse{}
	for i := range uint64(64) {
		envelope.Batch = append(envelope.Batch, &imv1.MessageResponse{
			MessageId: "0123456789abcdef", FromUserId: "user", RoomId: "room", Type: imv1.MessageType_MESSAGE_TYPE_TEXT,
			Content: stamp{run: 7, number: i, due: time.Now().UnixNano()}.payload(128),
		})
	}
	frame := encode(envelope)
	b.ReportAllocs()
	for b.Loop() {
		c.next[0] = 0
		if err := c.speech.take(frame); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/message")
}
