package presence_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/realtime/presence"
)

const grace = 10 * time.Second

func TestOnline(t *testing.T) {
	t.Parallel()
	arrive := func(p *presence.Tracker) { p.Arrive("alice") }
	end := func(p *presence.Tracker) { p.Depart("alice", false, true) }
	lose := func(p *presence.Tracker) { p.Depart("alice", false, false) }
	wait := func(d time.Duration) func(*presence.Tracker) {
		return func(p *presence.Tracker) { time.Sleep(d); p.Sweep(time.Now()) }
	}
	type steps []func(*presence.Tracker)
	for name, test := range map[string]struct {
		steps steps
		want  bool
	}{
		"never seen":                           {steps{}, false},
		"arrived":                              {steps{arrive}, true},
		"ended":                                {steps{arrive, end}, false},
		"lost":                                 {steps{arrive, lose}, true},
		"lost for nearly the window":           {steps{arrive, lose, wait(grace - time.Millisecond)}, true},
		"lost for the window":                  {steps{arrive, lose, wait(grace)}, false},
		"lost and swept":                       {steps{arrive, lose, wait(grace + time.Second)}, false},
		"one of two ended":                     {steps{arrive, arrive, end}, true},
		"one of two lost, long ago":            {steps{arrive, arrive, lose, wait(time.Hour)}, true},
		"both ended":                           {steps{arrive, arrive, end, end}, false},
		"back within the window":               {steps{arrive, lose, wait(time.Second), arrive, wait(time.Hour)}, true},
		"back within the window, then ended":   {steps{arrive, lose, wait(time.Second), arrive, end}, false},
		"back after the window":                {steps{arrive, lose, wait(time.Hour), arrive}, true},
		"lost twice: the second window counts": {steps{arrive, lose, wait(9 * time.Second), arrive, lose, wait(9 * time.Second)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := presence.New(grace)
				for _, step := range test.steps {
					step(p)
				}
				if got := p.Online("alice"); got != test.want {
					t.Errorf("online: %v, want %v", got, test.want)
				}
				if p.Online("bob") {
					t.Error("somebody else is online")
				}
			})
		})
	}
}

func TestWithoutGrace(t *testing.T) {
	t.Parallel()
	p := presence.New(0)
	p.Arrive("alice")
	p.Depart("alice", false, false)
	if p.Online("alice") {
		t.Error("online after a lost connection")
	}
}

// TestAgainstModel: Online does not depend on when sweeps happen.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{"arrive", "end", "lose", "wait 1s", "wait 9s", "sweep"}), 0, 30).Draw(r, "steps")
		failed := ""
		synctest.Test(t, func(*testing.T) { failed = compare(steps) }) // rapid cannot be inside a bubble
		if failed != "" {
			r.Fatal(failed)
		}
	})
}

// compare takes the steps that are possible and returns the first difference from the model.
func compare(steps []string) string {
	p := presence.New(grace)
	sessions, until := 0, time.Time{}
	for i, step := range steps {
		switch {
		case step == "arrive":
			p.Arrive("alice")
			sessions++
		case step == "sweep":
			p.Sweep(time.Now())
		case step == "wait 1s":
			time.Sleep(time.Second)
		case step == "wait 9s":
			time.Sleep(9 * time.Second)
		case sessions > 0:
			p.Depart("alice", false, step == "end")
			sessions--
			until = time.Time{}
			if step == "lose" && sessions == 0 {
				until = time.Now().Add(grace)
			}
		}
		if got, want := p.Online("alice"), sessions > 0 || time.Now().Before(until); got != want {
			return fmt.Sprintf("after step %d (%s): online %v, want %v", i, step, got, want)
		}
	}
	return ""
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	p := presence.New(time.Nanosecond)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			user := fmt.Sprint("user", i%2)
			for range 500 {
				p.Arrive(user)
				if !p.Online(user) {
					t.Error("offline with a session")
				}
				p.Sweep(time.Now())
				p.Depart(user, false, i%3 == 0)
			}
		})
	}
	wg.Wait()
	p.Sweep(time.Now().Add(time.Hour))
	if p.Online("user0") || p.Online("user1") {
		t.Error("online after everybody has left")
	}
}

// TestChangesAreTold once each, also of those whom nobody asks for when their window is over.
func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := presence.New(grace)
		var told []string
		p.OnChange(func(user string, now presence.State) { told = append(told, fmt.Sprint(user, " ", now)) })
		p.Arrive("alice")
		p.Arrive("alice")
		p.Look("alice", false)
		p.Look("alice", false)
		p.Look("alice", true)
		p.Depart("alice", false, true)
		p.Look("alice", true)
		p.Depart("alice", false, false)
		time.Sleep(grace / 2)
		p.Sweep(time.Now())
		time.Sleep(grace)
		p.Sweep(time.Now())
		p.Arrive("alice")
		p.Depart("alice", false, true)
		want := []string{"alice 2", "alice 1", "alice 2", "alice 1", "alice 2", "alice 0", "alice 2", "alice 0"}
		if fmt.Sprint(told) != fmt.Sprint(want) {
			t.Errorf("told %v, want %v", told, want)
		}
	})
}
