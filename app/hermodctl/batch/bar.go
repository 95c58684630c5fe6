package batch

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// Meter counts the bytes that are read through it.
type Meter struct {
	In   io.Reader
	read atomic.Int64
}

// Read implements io.Reader.
func (m *Meter) Read(p []byte) (int, error) {
	n, err := m.In.Read(p)
	m.read.Add(int64(n))
	return n, err
}

// Bar shows on a terminal how far a batch is.
type Bar struct {
	Out   io.Writer
	Meter *Meter
	Size  int64 // of the input; 0: not known
	Done  func() int
}

const (
	barWidth = 30
	barEvery = 200 * time.Millisecond
)

// Start shows the bar until the function that it returns is called, which wipes it out.
func (b *Bar) Start() (stop func()) {
	start, tick := time.Now(), time.NewTicker(barEvery)
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprint(b.Out, "\r\x1b[K"+b.line(time.Since(start)))
			case <-quit:
				fmt.Fprint(b.Out, "\r\x1b[K")
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
	}
}

func (b *Bar) line(took time.Duration) string {
	done := b.Done()
	text := fmt.Sprintf("%d pushed, %.0f a second", done, float64(done)/max(took.Seconds(), 0.001))
	if b.Size <= 0 {
		return text
	}
	part := min(float64(b.Meter.read.Load())/float64(b.Size), 1)
	full := int(part * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f%% read, %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*part, text)
}
