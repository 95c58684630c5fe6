//go:build unix

package remote_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/plugin"
)

// linkedIn is an interceptor of the node's own that does nothing.
type linkedIn struct{}

func (linkedIn) Name() string { return "linked" }

func (linkedIn) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	return m, nil
}

// BenchmarkAdded has one sender ask about one message of 128 bytes after the other, in turns of an
// interceptor that is linked in and of one that is out of process, neither of which does anything. added is
// how much later the middle one of the second kind is decided.
func BenchmarkAdded(b *testing.B) {
	content := string(make([]byte, 128))
	near := open(b, []plugin.Plugin{linkedIn{}}, &conf.Plugin{Name: "linked"})
	far := open(b, nil, as(b, "talker", nil))
	var took [2][]time.Duration
	b.ResetTimer()
	for b.Loop() {
		for i, n := range []*node{near, far} {
			got, d := n.say("r", content)
			if got != content {
				b.Fatal(got)
			}
			took[i] = append(took[i], d)
		}
	}
	slices.Sort(took[0])
	slices.Sort(took[1])
	middle := len(took[0]) / 2
	b.ReportMetric(float64((took[1][middle]-took[0][middle]).Nanoseconds())/1e3, "added-p50-µs")
	b.ReportMetric(float64(took[1][len(took[1])*99/100].Nanoseconds())/1e3, "p99-µs")
}

// BenchmarkCalls has 256 senders ask an interceptor out of process about messages of 128 bytes, one in
// flight each. The CPU time is that of the node alone, without the plugin's process, and with all that the
// host of plugins and the senders take.
func BenchmarkCalls(b *testing.B) {
	const senders = 256
	n := open(b, nil, as(b, "talker", nil))
	content := make([]byte, 128)
	before, began := cpu(b), time.Now()
	b.ResetTimer()
	calls := 0
	for b.Loop() {
		var all sync.WaitGroup
		for i := range senders {
			all.Go(func() { ask(b, n.Host, fmt.Sprint("u", i), content) })
		}
		all.Wait()
		calls += senders * perSender
	}
	b.ReportMetric(float64(calls)/(cpu(b)-before).Seconds(), "calls/node-cpu-s")
	b.ReportMetric(float64(calls)/time.Since(began).Seconds(), "calls/s")
}

const perSender = 20

// ask has a sender ask about some messages, one after another.
func ask(b *testing.B, h *plugins.Host, user string, content []byte) {
	b.Helper()
	done := make(chan error, 1)
	for range perSender {
		d := &biz.Draft{Message: biz.Message{Room: "r", Sender: biz.UserID(user), Type: biz.TypeText, Content: content}}
		h.Interceptor().Intercept(d, biz.Speaker{}, fits, func(err error) { done <- err })
		if err := <-done; err != nil {
			b.Error(err)
			return
		}
	}
}

// cpu is the time that this process has had a processor, without those that it has started.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
