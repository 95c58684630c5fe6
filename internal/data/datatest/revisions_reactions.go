package datatest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

func testReactions(s scene) {
	messages, revisions := s.revise()
	users := []biz.UserID{"a", "b", "c"}
	for _, u := range users {
		s.join("r", u)
	}
	s.send(messages, text("r", "a", "", "x"))
	react := func(by biz.UserID, reaction string, remove bool) biz.Revised {
		s.t.Helper()
		return s.revised(revisions.React(s.context(), as(by), biz.ReactRequest{Room: "r", Seq: 1, Reaction: reaction, Remove: remove}))
	}
	s.equal("a removal of nothing", react("a", "👍", true).Seq, int64(0))
	for _, u := range users {
		react(u, "👍", false)
	}
	react("b", "👎", false)
	s.equal("twice", react("b", "👎", false).Seq, int64(0))
	want := []biz.ReactionCount{{Reaction: "👍", Users: 3}, {Reaction: "👎", Users: 1}}
	s.equal("counts", s.at(1).State.Reactions, want)
	s.equal("head", s.room("r").HeadSeq, int64(5))
	var all []biz.Reaction
	for token := ""; ; {
		page, err := revisions.Reactions(s.context(), as("c"), biz.ReactionsRequest{Room: "r", Seq: 1, Limit: 3, Token: token})
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page.Reactions...)
		if token = page.Next; token == "" {
			break
		}
	}
	s.equal("listed", listed(all), "a 👍 b 👍 c 👍 b 👎 ")
	s.equal("when", all[0].At, s.at(2).Time)
	react("a", "👍", true)
	react("b", "👎", true)
	s.equal("counts", s.at(1).State.Reactions, []biz.ReactionCount{{Reaction: "👍", Users: 2}})
	react("a", "👍", false)
	page, err := revisions.Reactions(s.context(), as("a"), biz.ReactionsRequest{Room: "r", Seq: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	s.equal("listed", listed(page.Reactions), "b 👍 c 👍 a 👍 ")
	_, err = revisions.Reactions(s.context(), as("x"), biz.ReactionsRequest{Room: "r", Seq: 1})
	s.wantReason(err, "NOT_A_MEMBER")
	s.join("r", "late")
	_, err = revisions.Reactions(s.context(), as("late"), biz.ReactionsRequest{Room: "r", Seq: 1})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
	_, err = revisions.React(s.context(), as("late"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "👍"})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
}

func listed(list []biz.Reaction) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s ", r.User, r.Reaction)
	}
	return b.String()
}

func testReactionsAtOnce(s scene) {
	messages, revisions := s.revise()
	s.join("r", "author")
	const users = 40
	for i := range users {
		s.join("r", biz.UserID(fmt.Sprint(i)))
	}
	s.send(messages, text("r", "author", "", "x"))
	var reacting sync.WaitGroup
	for i := range users {
		reacting.Go(func() {
			for n := range 3 { // it comes, comes again, and goes for every second one
				req := biz.ReactRequest{Room: "r", Seq: 1, Reaction: fmt.Sprint(i % 4), Remove: n == 2 && i%2 == 0}
				if _, err := revisions.React(s.context(), as(biz.UserID(fmt.Sprint(i))), req); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	reacting.Wait()
	state := s.at(1).State
	s.equal("version", state.Version, int64(users+users/2))
	s.equal("events", s.room("r").HeadSeq, int64(1+users+users/2))
	counts := slices.Clone(state.Reactions)
	slices.SortFunc(counts, func(a, b biz.ReactionCount) int { return strings.Compare(a.Reaction, b.Reaction) })
	s.equal("counts", counts, []biz.ReactionCount{{Reaction: "1", Users: 10}, {Reaction: "3", Users: 10}})
	list, err := s.Revisions.Reactions(s.context(), "r", 1, 0, 100)
	if err != nil || len(list) != 20 {
		s.t.Errorf("%d reactions, %v", len(list), err)
	}
	s.unbroken()
}

func testReactionsBounded(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.send(messages, text("r", "u", "", "x"))
	react := func(reaction string, remove bool) error {
		_, err := revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: reaction, Remove: remove})
		return err
	}
	for i := range biz.MaxReactions {
		if err := react(fmt.Sprint(i), false); err != nil {
			s.t.Fatal(err)
		}
	}
	s.wantReason(react("one more", false), "INVALID_REACTION") // of a blank
	s.wantReason(react("more", false), "TOO_MANY_REACTIONS")
	s.wantReason(react(strings.Repeat("x", 65), false), "INVALID_REACTION")
	s.wantReason(react("", false), "INVALID_REACTION")
	if err := react("3", true); err != nil {
		s.t.Fatal(err)
	}
	if err := react("more", false); err != nil {
		s.t.Error(err)
	}
}
