package datatest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// testSearchBrokenOff: an indexer that ends at any moment is followed by one that goes on.
func testSearchBrokenOff(s scene) {
	const messages = 400
	s.join("r", "u")
	var want []string
	for i := range messages {
		s.speak("r", "u", fmt.Sprint("hello ", i))
		want = append(want, fmt.Sprint("r", i+1))
	}
	slices.Reverse(want)
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(s.context(), time.Duration(try)*3*time.Millisecond)
		err := s.CatchUp(ctx)
		cancel()
		if err == nil {
			break
		}
	}
	s.wantFound("u", biz.SearchRequest{Query: "hello", Limit: 100}, want...)
}

// testSearchTogether: several nodes index what several senders say, and all is found, once.
func testSearchTogether(s scene) {
	const rooms, each = 4, 40
	var sending sync.WaitGroup
	for i := range rooms {
		room := biz.RoomID(fmt.Sprint("r", i, "-"))
		s.join(room, "u")
		sending.Go(func() {
			for range each {
				if o := s.append(text(room, "u", "", "hello")); o.err != nil {
					s.t.Error(o.err)
				}
			}
		})
	}
	sent := make(chan struct{})
	var indexing sync.WaitGroup
	for range 2 {
		indexing.Go(func() {
			for over := false; !over; {
				select {
				case <-sent:
					over = true
				default:
				}
				if err := s.CatchUp(s.context()); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	close(sent)
	indexing.Wait()
	found := s.find("u", biz.SearchRequest{Query: "hello", Limit: 100})
	s.equal("found", len(found), rooms*each)
	slices.Sort(found)
	s.equal("once", len(slices.Compact(found)), rooms*each)
}

// testSearchRandom compares what is found with what a look at every message finds.
func testSearchRandom(s scene) {
	const rooms, messages, queries = 4, 300, 150
	vocabulary := strings.Fields("red green blue the a is 红 红色 绿色 蓝天 😀 Zürich x1")
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable, and no secret
	words := func(most int) []string {
		picked := make([]string, 1+random.IntN(most))
		for i := range picked {
			picked[i] = vocabulary[random.IntN(len(vocabulary))]
		}
		return picked
	}
	type said struct {
		id    string
		words []string
	}
	var all []said
	for i := range rooms {
		s.join(biz.RoomID(fmt.Sprint("r", i, "-")), "u")
	}
	for range messages {
		room := biz.RoomID(fmt.Sprint("r", random.IntN(rooms), "-"))
		w := words(8)
		r := s.speak(room, "u", strings.Join(w, " "))
		all = append(all, said{fmt.Sprint(room, r.Seq), w})
	}
	s.index()
	slices.Reverse(all)
	for range queries {
		asked := words(3)
		phrase := random.IntN(2) == 0
		query := strings.Join(asked, " ")
		if phrase {
			query = `"` + query + `"`
		}
		var want []string
		for _, m := range all {
			if hasAll(m.words, asked, phrase) {
				want = append(want, m.id)
			}
		}
		s.wantFound("u", biz.SearchRequest{Query: query, Limit: 1 + random.IntN(100)}, want...)
	}
}

// hasAll knows that 红 is a part of 红色, and that nothing else in the vocabulary is a part of another.
func hasAll(words, asked []string, phrase bool) bool {
	var split []string
	for _, w := range words {
		split = append(split, characters(w)...)
	}
	if phrase {
		var one []string
		for _, w := range asked {
			one = append(one, characters(w)...)
		}
		return contains(split, one)
	}
	for _, w := range asked {
		if !contains(split, characters(w)) {
			return false
		}
	}
	return true
}

func characters(w string) []string {
	if r := []rune(w); len(r) == 2 && r[0] > 0x4e00 {
		return []string{string(r[0]), string(r[1])}
	}
	return []string{w}
}

func contains(words, run []string) bool {
	for i := range len(words) - len(run) + 1 {
		if slices.Equal(words[i:i+len(run)], run) {
			return true
		}
	}
	return false
}
