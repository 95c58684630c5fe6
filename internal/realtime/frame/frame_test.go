package frame_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/game-im/hermod/internal/realtime/frame"
)

var (
	encodings atomic.Int64
	format    = frame.NewFormat(frame.Encoders{
		Name: "test",
		Body: func(dst []byte, payload any) ([]byte, error) {
			encodings.Add(1)
			if payload == nil {
				return nil, errors.New("nothing to encode")
			}
			return append(dst, payload.(string)...), nil
		},
		Item: func(dst []byte, n int) []byte { return append(dst, 'I', byte('0'+n)) },
	})
	plain = frame.NewFormat(frame.Encoders{
		Name: "plain",
		Body: func(dst []byte, payload any) ([]byte, error) { return append(dst, payload.(string)...), nil },
	})
)

func TestBodyAndItemShareBytes(t *testing.T) {
	e, err := frame.New("hello").In(format)
	if err != nil {
		t.Fatal(err)
	}
	if string(e.Body()) != "hello" || string(e.Item()) != "I5hello" || e.Size() != 7 {
		t.Errorf("body %q, item %q, size %d", e.Body(), e.Item(), e.Size())
	}
	p, err := frame.New("hello").In(plain)
	if err != nil || string(p.Body()) != "hello" || string(p.Item()) != "hello" {
		t.Errorf("a format without envelopes: body %q, item %q, %v", p.Body(), p.Item(), err)
	}
}

func TestEncodedOncePerFormat(t *testing.T) {
	f := frame.New("once")
	first, err := f.In(format)
	if err != nil {
		t.Fatal(err)
	}
	before := encodings.Load()
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if e, err := f.In(format); e != first || err != nil {
				t.Errorf("another encoding: %p, %v", e, err)
			}
		})
	}
	wg.Wait()
	if n := encodings.Load() - before; n != 0 {
		t.Errorf("encoded %d more times", n)
	}
	if other, err := f.In(plain); err != nil || other == first {
		t.Errorf("two formats share one encoding: %v", err)
	}
}

func TestAnEncodingThatFailsIsAnError(t *testing.T) {
	if e, err := frame.New(nil).In(format); err == nil {
		t.Errorf("got %v", e)
	}
}
