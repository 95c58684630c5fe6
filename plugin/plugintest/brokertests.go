package plugintest

import (
	"fmt"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
)

func subjectOf(t *testing.T, part string) string {
	name := []byte(t.Name())
	for i, c := range name {
		if (c < 'a' || 'z' < c) && (c < 'A' || 'Z' < c) && (c < '0' || '9' < c) {
			name[i] = '-'
		}
	}
	return string(name) + ".c." + part
}

func message(subject, data string) plugin.BusMessage {
	return plugin.BusMessage{Subject: subject, Data: []byte(data)}
}

func busFollow(t *testing.T, join func() *busNode) {
	one, two, three := join().run(), join().run(), join().run()
	subject, other := subjectOf(t, "room:1"), subjectOf(t, "room:1~_-")
	two.follow(subject)
	three.follow(subject, other)
	one.deliver(two, message(subject, "hello"))
	one.deliver(three, message(subject, "hello"))
	two.deliver(three, message(other, "from another"))
	if _, count := two.last(other); count > 0 {
		t.Error("what nobody asked for arrived")
	}
}

func busFollowEarly(t *testing.T, join func() *busNode) {
	early := join()
	subject := subjectOf(t, "early")
	_ = early.Follow(t.Context(), []string{subject}) // it is known of, though it cannot be received yet
	early.run()
	join().run().deliver(early, message(subject, "x"))
}

// busLeave: what was sent after a subject was left does not arrive for ever, and others still do.
func busLeave(t *testing.T, join func() *busNode) {
	one, two := join().run(), join().run()
	left, kept := subjectOf(t, "left"), subjectOf(t, "kept")
	two.follow(left, kept)
	one.deliver(two, message(left, "x"))
	two.Leave([]string{left})
	for deadline := time.Now().Add(busPatience); ; {
		_, before := two.last(left)
		_, keptBefore := two.last(kept)
		_ = one.Send(t.Context(), []plugin.BusMessage{message(left, "x"), message(kept, "y")})
		time.Sleep(resend)
		_, after := two.last(left)
		if _, keptAfter := two.last(kept); keptAfter > keptBefore && after == before {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("what was left arrives still, or nothing does")
		}
	}
	two.follow(left) // again
	_, before := two.last(left)
	for deadline := time.Now().Add(busPatience); ; time.Sleep(resend) {
		_ = one.Send(t.Context(), []plugin.BusMessage{message(left, "x")})
		if _, after := two.last(left); after > before {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("what is followed again does not arrive")
		}
	}
}

func busLarge(t *testing.T, join func() *busNode) {
	one, two := join().run(), join().run()
	size := largeMessage
	if most := one.MaxBytes(); most > 0 {
		size = min(size, most)
	}
	large := make([]byte, size)
	for i := range large {
		large[i] = byte(i * 7)
	}
	subject, empty := subjectOf(t, "large"), subjectOf(t, "empty")
	two.follow(subject, empty)
	one.deliver(two, plugin.BusMessage{Subject: subject, Data: large}, message(empty, ""))
}

func busMany(t *testing.T, join func() *busNode) {
	one, two := join().run(), join().run()
	var subjects []string
	var batch []plugin.BusMessage
	for i := range 300 {
		subjects = append(subjects, subjectOf(t, fmt.Sprint("room:", i)))
		batch = append(batch, message(subjects[i], fmt.Sprint(i)))
	}
	two.follow(subjects...)
	one.deliver(two, batch...)
}

// busAsk: who tells how many got it tells the truth, that nobody did as well.
func busAsk(t *testing.T, join func() *busNode) {
	one, two := join().run(), join().run()
	followed, lonely := subjectOf(t, "followed"), subjectOf(t, "lonely")
	two.follow(followed)
	one.follow(followed) // itself does not count
	one.deliver(two, message(followed, "x"))
	ask := []plugin.BusMessage{{Subject: followed, Data: []byte("x"), Ask: 7}, {Subject: lonely, Data: []byte("x"), Ask: 8}}
	if err := one.Send(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	_, before := two.last(followed)
	for deadline := time.Now().Add(busPatience); ; time.Sleep(resend) { // a while after the ask, all there is to say is said
		_ = one.Send(t.Context(), []plugin.BusMessage{message(followed, "x")})
		if _, after := two.last(followed); after > before+3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing arrives")
		}
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if others, said := one.reached[7]; said && others != 1 {
		t.Errorf("one other follows, and it reached %d", others)
	}
	if others, said := one.reached[8]; said && others != 0 {
		t.Errorf("nobody follows, and it reached %d", others)
	}
}

func busDown(t *testing.T, join func() *busNode) {
	one := join()
	if err := one.Send(t.Context(), []plugin.BusMessage{message(subjectOf(t, "a"), "x")}); err == nil {
		t.Error("sent before there was a connection")
	}
	one.run()
}

// busEnds: what was sent before the end of the context arrives, mostly, and Run returns soon.
func busEnds(t *testing.T, join func() *busNode) {
	two := join().run()
	subject := subjectOf(t, "last")
	two.follow(subject)
	for range 10 {
		one := join().run()
		if err := one.Send(t.Context(), []plugin.BusMessage{message(subject, "goodbye")}); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		one.end()
		if took := time.Since(begun); took > busPatience/2 {
			t.Errorf("Run took %v to end", took)
		}
		deadline := time.After(busPatience / 10)
		for waiting := true; waiting; {
			if _, count := two.last(subject); count > 0 {
				return
			}
			select {
			case <-two.news:
			case <-deadline:
				waiting = false
			}
		}
	}
	t.Error("of ten messages that were sent at last none arrived")
}
