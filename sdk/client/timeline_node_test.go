package client

import (
	"context"
	"fmt"
	"slices"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// TestTimelineOnANode: bob is there while messages are edited, reacted to and recalled; carol
// reads it later, in History and in Sync, in pages and backward. All have the same then.
func TestTimelineOnANode(t *testing.T) {
	t.Parallel()
	for name, mode := range modes(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := runs.Add(1)
			room, user := fmt.Sprint("timeline ", run), func(name string) string { return fmt.Sprint(name, " ", run) }
			alice, carol := come(t, mode, user("alice")), come(t, mode, user("carol"))
			for _, c := range []*Client{alice, carol} {
				if _, err := c.JoinRoom(room, nil); err != nil {
					t.Fatal(err)
				}
			}
			heard := make(chan *imv1.MessageResponse, 64)
			hearing := func(cfg *Config) (*Client, error) {
				cfg.DefaultRoomID = room
				cfg.OnMessage = func(m *imv1.MessageResponse) { heard <- m }
				return mode(cfg)
			}
			bob := come(t, hearing, user("bob"))

			last := revise(t, alice, bob, room)

			var live, forward, backward, synced Timeline
			for seen := int64(0); seen < last; {
				m := wait(t, heard, fmt.Sprint("message ", last))
				live.Apply(m)
				seen = max(seen, m.GetSeq())
			}
			tell := func(tl *Timeline, o HistoryOptions) {
				t.Helper()
				for m, err := range carol.Past(t.Context(), room, o) {
					if err != nil {
						t.Fatal(err)
					}
					tl.Apply(m)
				}
			}
			tell(&forward, HistoryOptions{Forward: true, Limit: 2})
			tell(&backward, HistoryOptions{Limit: 3})
			if _, err := carol.Sync(t.Context(), nil, func(page *imv1.RoomPage) error {
				for _, m := range page.GetMessages() {
					synced.Apply(m)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			want := dump(t, &live)
			for how, tl := range map[string]*Timeline{"forward": &forward, "backward": &backward, "synced": &synced} {
				if got := dump(t, tl); got != want {
					t.Errorf("%s:\n%s\nlive:\n%s", how, got, want)
				}
			}
			describes(t, &live)
		})
	}
}

// revise says and changes messages in a room, and returns the seq of the last event.
func revise(t *testing.T, alice, bob *Client, room string) int64 {
	t.Helper()
	ctx := t.Context()
	var seqs []int64
	for _, text := range []string{"one", "two", "three"} {
		sent, err := alice.SendText(ctx, room, text, Mention(bob.cfg.UserID))
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, sent.Seq)
	}
	if _, err := alice.SendText(ctx, room, "an answer", ReplyTo(seqs[0])); err != nil {
		t.Fatal(err)
	}
	steps := []func(context.Context) (int64, error){
		func(ctx context.Context) (int64, error) {
			r, err := alice.EditMessage(ctx, room, seqs[0], Edit{Content: []byte("uno"), Metadata: map[string]string{"k": "v"}})
			return r.GetSeq(), err
		},
		func(ctx context.Context) (int64, error) {
			r, err := bob.React(ctx, room, seqs[0], "👍")
			return r.GetSeq(), err
		},
		func(ctx context.Context) (int64, error) {
			r, err := alice.EditMessage(ctx, room, seqs[1], Edit{Content: []byte("a secret")})
			return r.GetSeq(), err
		},
		func(ctx context.Context) (int64, error) {
			r, err := bob.React(ctx, room, seqs[2], "+1")
			return r.GetSeq(), err
		},
		func(ctx context.Context) (int64, error) {
			r, err := bob.Unreact(ctx, room, seqs[2], "+1")
			return r.GetSeq(), err
		},
		func(ctx context.Context) (int64, error) {
			r, err := alice.EditMessage(ctx, room, seqs[0], Edit{Content: []byte("eins"), Mentions: []string{alice.cfg.UserID}, IfVersion: 2})
			return r.GetSeq(), err
		},
		func(ctx context.Context) (int64, error) {
			r, err := alice.RecallMessage(ctx, room, seqs[1], "a mistake")
			return r.GetSeq(), err
		},
	}
	var last int64
	for i, step := range steps {
		seq, err := step(ctx)
		if err != nil || seq <= last {
			t.Fatalf("step %d: event %d after %d, %v", i, seq, last, err)
		}
		last = seq
	}
	if _, err := bob.EditMessage(ctx, room, seqs[0], Edit{Content: []byte("not mine")}); Reason(err) != "NOT_YOUR_MESSAGE" {
		t.Errorf("another's message is edited: %v", err)
	}
	if _, err := alice.EditMessage(ctx, room, seqs[0], Edit{Content: []byte("x"), IfVersion: 1}); Reason(err) != "VERSION_CONFLICT" {
		t.Errorf("an old version is edited: %v", err)
	}
	again, err := bob.React(ctx, room, seqs[0], "👍")
	if err != nil || again.GetSeq() != 0 {
		t.Errorf("a reaction that is there already: %v, %v", again, err)
	}
	var who []string
	for r, err := range alice.Reactions(ctx, room, seqs[0], PageOptions{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		who = append(who, r.GetUserId()+r.GetReaction())
	}
	if !slices.Equal(who, []string{bob.cfg.UserID + "👍"}) {
		t.Errorf("who has reacted: %q", who)
	}
	return last
}

// describes checks what the room is after revise.
func describes(t *testing.T, tl *Timeline) {
	t.Helper()
	var all []*imv1.MessageResponse
	for m := range tl.Messages() {
		all = append(all, m)
	}
	if len(all) != 4 {
		t.Fatalf("%d messages: %v", len(all), all)
	}
	one, two, three, answer := all[0], all[1], all[2], all[3]
	if string(one.GetContent()) != "eins" || one.GetState().GetEdits() != 2 || one.GetState().GetReactions()[0].GetUsers() != 1 || len(one.GetMentions()) != 1 || len(one.GetMetadata()) > 0 {
		t.Errorf("the first is %v", one)
	}
	if len(two.GetContent()) > 0 || !two.GetState().GetRecalled() || len(two.GetMentions()) > 0 {
		t.Errorf("the second is %v", two)
	}
	if string(three.GetContent()) != "three" || three.GetState().GetVersion() != 2 || len(three.GetState().GetReactions()) > 0 {
		t.Errorf("the third is %v", three)
	}
	if answer.GetReplyToSeq() != one.GetSeq() {
		t.Errorf("the answer is %v", answer)
	}
}
