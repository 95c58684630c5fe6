package data

import (
	"reflect"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// FuzzExtras: what is stored with a message is read as it was written, and what is no such thing is an error.
func FuzzExtras(f *testing.F) {
	for _, text := range []string{
		``, `{}`, `{"reply":3}`, `{"mentions":["u","*"],"expires":1764115200000000}`, `[`, `{"state":null}`,
		`{"mentions":["u"],"then":{"from":5,"content":"eA=="}}`, `{"then":{"from":7764115200000000}}`,
		`{"state":{"v":2,"edits":1,"edited":5,"recalled":true,"by":"u","at":6,"seq":9,"reactions":[{"r":"x","n":2}]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &biz.Message{Room: "r", Seq: 1}
		if decodeExtras(b, m) != nil {
			return
		}
		_ = m.Bytes()
		again := &biz.Message{Room: "r", Seq: 1}
		if err := decodeExtras(encodeExtras(m), again); err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		m.Content = nil                              // what an event says later is no part of the message
		for _, x := range []*biz.Message{m, again} { // what is empty is none
			if len(x.Mentions) == 0 {
				x.Mentions = nil
			}
			if x.State != nil && x.State.Version == 0 {
				x.State = nil
			}
		}
		if !reflect.DeepEqual(again, m) {
			t.Errorf("%+v is read as %+v", m, again)
		}
	})
}
