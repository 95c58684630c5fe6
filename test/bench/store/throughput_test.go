package store

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/app/hermodctl/bench"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/test/databases"
)

// BenchStore is the environment variable that asks for figures: how long each measurement lasts.
const BenchStore = "HERMOD_BENCH_STORE"

const (
	roomCount   = 100
	roomMembers = 10
	payloadSize = 128
)

// pace is how long is measured, and how often.
type pace struct {
	warmUp, duration time.Duration
	rounds           int
}

// target is a database to store in.
type target struct {
	title, driver string
	empty         func() data.Options  // where there is nothing yet
	cpu           func() time.Duration // that processes of the database have used; 0 where it has none
}

// load stores as fast as it can.
type load struct {
	title   string
	measure func(testing.TB, target, pace) figure
}

// figure is how many messages were stored in a second, and in a second of CPU time of all that stores them.
type figure struct{ perSecond, perCPU float64 }

// TestThroughput stores messages in 100 rooms of 10 in every way that there is, in turns: as rows that are
// inserted by hand, through the rules and the store, and through a node with clients.
func TestThroughput(t *testing.T) {
	p, loads := pace{duration: 100 * time.Millisecond, rounds: 1}, []load{{"raw insertion", insertRaw}, {"the store", storeFromSenders}}
	if text := os.Getenv(BenchStore); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			t.Fatalf("%s=%q must be a positive duration, such as 5s", BenchStore, text)
		}
		bin := buildNode(t)
		p = pace{warmUp: d / 4, duration: d, rounds: 3}
		for _, over := range []bench.Transport{bench.GRPC, bench.WebSocket} {
			loads = append(loads, nodeLoad(bin, over, 1), nodeLoad(bin, over, 8))
		}
	}
	for _, to := range targets(t) {
		r := newReport(to, loads)
		for round := range p.rounds {
			for i := range loads {
				at := (round + i) % len(loads) // a machine that slows down favours none
				f := loads[at].measure(t, to, p)
				if f.perSecond <= 0 || f.perCPU <= 0 {
					t.Fatalf("%s: %s: nothing was stored: %+v", to.title, loads[at].title, f)
				}
				r.add(at, f)
			}
		}
		fmt.Print(r)
	}
}

func targets(t *testing.T) []target {
	t.Helper()
	all := []target{{
		title: "SQLite", driver: "sqlite", cpu: func() time.Duration { return 0 },
		empty: func() data.Options { return data.Options{Driver: "sqlite", DSN: t.TempDir() + "/hermod.db"} },
	}}
	if os.Getenv(databases.Enabled) == "" {
		return all
	}
	for _, kind := range []struct{ title, driver string }{{"PostgreSQL", "postgres"}, {"MariaDB", "mysql"}} {
		s := databases.Start[kind.driver](t)
		all = append(all, target{
			title: kind.title, driver: kind.driver, cpu: s.CPU,
			empty: func() data.Options { return data.Options{Driver: kind.driver, DSN: s.Create()} },
		})
	}
	return all
}

// ownCPU is what this process has used, user and system.
func ownCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
