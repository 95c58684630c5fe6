package im

import (
	"bytes"
	"fmt"
	"maps"
	"testing"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// TestEventContent: what it says can be read, and is the same bytes every time, since the log tells
// a repeated message by them.
func TestEventContent(t *testing.T) {
	t.Parallel()
	var encode biz.EventEncoder = EventContent
	data := map[string]string{}
	for i := range 20 {
		data[fmt.Sprint("key ", i)] = fmt.Sprint("value ✓ ", i)
	}
	first, err := encode(biz.Event{Type: "happened", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	var got imv1.SystemContent
	if err := proto.Unmarshal(first, &got); err != nil || got.GetEventType() != "happened" || !maps.Equal(got.GetEventData(), data) {
		t.Errorf("got %v, %v", &got, err)
	}
	for range 50 {
		if again, err := encode(biz.Event{Type: "happened", Data: maps.Clone(data)}); err != nil || !bytes.Equal(again, first) {
			t.Fatalf("not the same, %v", err)
		}
	}
}
