package data

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// searchedMessages is how many messages a benchmark of the search has, unless HERMOD_BENCH_MESSAGES says otherwise.
const searchedMessages = 20_000

const (
	searchedRooms  = 100
	searchedWords  = 20_000 // of the vocabulary, the n-th said as often as 1/n
	searchedLength = 8      // words of a message, on average
)

// plainReader takes contents for text.
type plainReader struct{}

func (plainReader) Text(m *biz.Message) string {
	if m.Type != biz.TypeText {
		return ""
	}
	return string(m.Content)
}

func (plainReader) Changed(*biz.Message) int64 { return 0 }

// talk is what people say: words and, every fourth message, a run of Chinese.
type talk struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newTalk(seed uint64) *talk {
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // repeatable, and no secret
	return &talk{random: r, zipf: rand.NewZipf(r, 1.1, 4, searchedWords-1)}
}

func (t *talk) word() string { return "word" + strconv.FormatUint(t.zipf.Uint64(), 36) }

func (t *talk) han() string {
	run := make([]rune, 2+t.random.IntN(16))
	for i := range run {
		run[i] = rune(0x4e00 + t.zipf.Uint64()%3000)
	}
	return string(run)
}

func (t *talk) say() string {
	if t.random.IntN(4) == 0 {
		return t.han()
	}
	words := make([]string, 1+t.random.IntN(2*searchedLength-1))
	for i := range words {
		words[i] = t.word()
	}
	return strings.Join(words, " ")
}

// BenchmarkSearch finds the newest 20 messages that say a word, two words, or a run of Chinese, in all hundred rooms
// of a user, in 50 and in one, in a file of HERMOD_BENCH_MESSAGES messages. It tells what 99 of 100 searches take at
// most, and what the index takes on disk.
func BenchmarkSearch(b *testing.B) {
	benchmarkSearch(b, Options{Dir: b.TempDir(), Synchronous: "NORMAL"})
}

// BenchmarkSearchOnServers does it on PostgreSQL and MariaDB.
func BenchmarkSearchOnServers(b *testing.B) {
	for driver, start := range databases.Start {
		b.Run(driver, func(b *testing.B) {
			benchmarkSearch(b, Options{Driver: driver, DSN: start(b).Create(), StatementTimeout: time.Minute})
		})
	}
}

func benchmarkSearch(b *testing.B, opts Options) {
	b.Helper()
	messages := searchedMessages
	if text := os.Getenv("HERMOD_BENCH_MESSAGES"); text != "" {
		var err error
		if messages, err = strconv.Atoi(text); err != nil {
			b.Fatalf("HERMOD_BENCH_MESSAGES=%q is no number", text)
		}
	}
	db := openWith(b, opts)
	searched(b, db, messages)
	before := indexBytes(b, db, opts.Driver)
	begun := time.Now()
	if err := NewIndexer(db, plainReader{}, quiet()).CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	took := time.Since(begun)
	perMessage := float64(indexBytes(b, db, opts.Driver)-before) / float64(messages)
	find := biz.NewSearch(NewSearch(db), NewHistory(db), plainReader{}, biz.SearchRules{Enabled: true})
	asking := newTalk(7)
	for name, query := range map[string]func() string{
		"word":    asking.word,
		"words":   func() string { return asking.word() + " " + asking.word() },
		"phrase":  func() string { return `"` + asking.word() + " " + asking.word() + `"` },
		"chinese": func() string { return string([]rune(asking.han())[:2]) },
		"common":  func() string { return "word0" },
		"nothing": func() string { return "nosuchword" },
	} {
		for _, n := range []int{1, 50, searchedRooms} {
			var rooms []biz.RoomID // all
			for i := range n % searchedRooms {
				rooms = append(rooms, benchRoom(i))
			}
			b.Run(fmt.Sprintf("%s/rooms=%d", name, n), func(b *testing.B) {
				var all []time.Duration
				for b.Loop() {
					begun := time.Now()
					if _, err := find.Find(b.Context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: query(), Rooms: rooms}); err != nil {
						b.Fatal(err)
					}
					all = append(all, time.Since(begun))
				}
				slices.Sort(all)
				b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
				b.ReportMetric(perMessage, "index-B/msg")
				b.ReportMetric(float64(messages)/took.Seconds(), "indexed/s")
			})
		}
	}
}

// searched stores messages of one user in many rooms.
func searched(tb testing.TB, db *DB, messages int) {
	tb.Helper()
	for i := range searchedRooms {
		joinRoom(tb, db, benchRoom(i), "u")
	}
	l, stop := runLog(tb, db, discard{}, LogOptions{})
	t := newTalk(1)
	var waiting sync.WaitGroup
	free := make(chan struct{}, 4096)
	for i := range messages {
		free <- struct{}{}
		waiting.Add(1)
		l.Append(textDraft(benchRoom(i%searchedRooms), "u", "", t.say()), func(_ biz.Receipt, err error) {
			if err != nil {
				tb.Error(err)
			}
			<-free
			waiting.Done()
		})
	}
	waiting.Wait()
	stop()
}

// indexBytes is what the index takes, or, of a file, all that is in it.
func indexBytes(tb testing.TB, db *DB, driver string) (n int64) {
	tb.Helper()
	query := `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
	switch driver {
	case "postgres":
		query = `SELECT pg_total_relation_size('search_docs')`
	case "mysql":
		query = `SELECT cast(sum(file_size) AS signed) FROM information_schema.innodb_sys_tablespaces
			WHERE name LIKE concat(database(), '/FTS%') OR name = concat(database(), '/search_docs')`
	}
	if err := db.reader.scanning(tb.Context())(query, nil, &n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// BenchmarkIndexed sends as fast as it can, with an indexer at work and without, in turns, and tells the ratio.
func BenchmarkIndexed(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { indexedTurns(b, func() Options { return Options{Dir: b.TempDir()} }) })
	for driver, start := range databases.Start {
		b.Run(driver, func(b *testing.B) {
			s := start(b)
			indexedTurns(b, func() Options { return Options{Driver: driver, DSN: s.Create()} })
		})
	}
}

func indexedTurns(b *testing.B, opts func() Options) {
	b.Helper()
	const slice = time.Second
	with, without := newSender(b, opts()), newSender(b, opts())
	stop := runUntil(b, NewIndexer(with.db, plainReader{}, quiet()).Run)
	var on, off rate
	for b.Loop() {
		off.add(without.run(slice))
		on.add(with.run(slice))
	}
	stop()
	b.ReportMetric(on.perSecond(), "on-msgs/s")
	b.ReportMetric(off.perSecond(), "off-msgs/s")
	b.ReportMetric(on.perSecond()/off.perSecond(), "on/off")
	b.ReportMetric(counterOf(b, with.db)/float64(on.messages), "indexed/sent")
}

func counterOf(b *testing.B, db *DB) float64 {
	b.Helper()
	var n float64
	err := db.reader.scanning(b.Context())(`SELECT coalesce(sum(indexed_seq), 0) FROM search_marks`, nil, &n)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

type benchSending struct {
	db  *DB
	log *MessageLog
}

func newSender(b *testing.B, opts Options) *benchSending {
	b.Helper()
	db := openWith(b, opts)
	for i := range searchedRooms {
		joinRoom(b, db, benchRoom(i), "u")
	}
	l, _ := runLog(b, db, discard{}, LogOptions{})
	return &benchSending{db, l}
}

func (s *benchSending) run(lasts time.Duration) rate {
	var sent atomic.Int64
	begun := time.Now()
	var running sync.WaitGroup
	for i := range 200 {
		running.Go(func() {
			t := newTalk(uint64(i))
			done := make(chan error, 1)
			for time.Since(begun) < lasts {
				s.log.Append(textDraft(benchRoom(i%searchedRooms), "u", "", t.say()), func(_ biz.Receipt, err error) { done <- err })
				if <-done == nil {
					sent.Add(1)
				}
			}
		})
	}
	running.Wait()
	return rate{sent.Load(), time.Since(begun)}
}
