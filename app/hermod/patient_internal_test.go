package hermod

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

// halting takes lines while its gate is open.
type halting struct {
	gate  chan struct{}
	taken bytes.Buffer
}

func (h *halting) Write(p []byte) (int, error) {
	<-h.gate
	return h.taken.Write(p)
}

// TestALogThatNobodyTakesHoldsNobodyUp: one line waits for a second, the others are counted, and all that is written is
// a log of its format.
func TestALogThatNobodyTakesHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader := &halting{gate: make(chan struct{})}
		log, _ := newLogger(&conf.Log{Level: "info", Format: "json"}, reader)
		began := time.Now()
		for range 4 {
			log.Info("nobody takes it")
		}
		if took := time.Since(began); took != lineWaits {
			t.Errorf("four lines held up whoever wrote them for %s, want %s", took, lineWaits)
		}
		close(reader.gate)
		synctest.Wait()
		log.Info("somebody does")
		log.Info("still")
		var got []string
		for line := range strings.Lines(reader.taken.String()) {
			var said struct {
				Msg   string
				Lines int
			}
			if err := json.Unmarshal([]byte(line), &said); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if said.Lines > 0 && said.Lines != 3 {
				t.Errorf("%d lines are said to be lost, want 3", said.Lines)
			}
			got = append(got, said.Msg)
		}
		if want := "nobody takes it|lines of the log are missing here, since nobody took them|somebody does|still"; strings.Join(got, "|") != want {
			t.Errorf("written was %q, want %q", got, want)
		}
	})
}
