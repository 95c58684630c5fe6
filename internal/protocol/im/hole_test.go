package im_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// mute is a deliverer from whose node no message comes.
type mute struct{ biz.Deliverer }

func (mute) Deliver(*biz.Draft) {}

// TestA4WhatIsReadIsWhatWasPublished: whether a message comes by the broker or from the log makes no difference
// to anybody, its sender included.
func TestA4WhatIsReadIsWhatWasPublished(t *testing.T) {
	run(t, config, func(_ *testing.T, b *bench) {
		carol, bob := b.open(as("carol")), b.open(as("bob"))
		there, here := mute{b.store.live}, b.store.live
		var said []string
		for i := 1; i <= 9; i++ {
			b.store.live = here
			if i%3 == 2 {
				b.store.live = there
			}
			bob.send(text(fmt.Sprint(i)))
			synctest.Wait()
			said = append(said, fmt.Sprint(i, " from bob"))
		}
		said = append([]string{"joined bob"}, said...)
		time.Sleep(time.Second)
		carol.want(said...)
		b.store.live = there
		bob.send(text("10"))
		synctest.Wait()
		b.node.Publish(&frame.Publication{Channel: protocol.RoomChannel("r"), Seq: 10}) // the head alone
		time.Sleep(time.Second)
		carol.want(append(said, "10 from bob")...)
		bob.want() // he knows what he has said
	})
}
