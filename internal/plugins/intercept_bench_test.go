package plugins_test

import (
	"fmt"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// BenchmarkIntercept is what an interceptor that does nothing adds to a message, where 100 messages are on their way at
// a time.
func BenchmarkIntercept(b *testing.B) {
	h, _ := hosted(b, nil, interceptor{"pass", pass})
	by := h.Interceptor()
	const many = 100
	var drafts [many]*biz.Draft
	for i := range drafts {
		drafts[i] = &biz.Draft{Message: biz.Message{Room: "room-1", Sender: biz.UserID(fmt.Sprint("user-", i)), Type: biz.TypeText, Content: make([]byte, 128)}}
	}
	done := make(chan error, many)
	verdict := func(err error) { done <- err }
	b.ReportAllocs()
	for n := 0; n < b.N; n += many {
		for _, d := range &drafts {
			by.Intercept(d, biz.Speaker{}, func(biz.Payload) error { return nil }, verdict)
		}
		for range drafts {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
	}
}
