package biz_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

func TestAudioRefs(t *testing.T) {
	t.Parallel()
	const a, b = "019ab000-0000-7000-8000-00000000000a", "019ab000-0000-7000-8000-00000000000b"
	proto := "\x0a\x24" + a + "\x12\x30https://chat.example.com/audio/" + b + "\x19"
	object, err := json.Marshal(map[string]any{"audio_id": a, "duration": 1.5})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		kind     biz.MessageType
		content  string
		metadata map[string]string
		want     []biz.AudioID
	}{
		"nothing":            {biz.TypeAudio, "", nil, nil},
		"the id alone":       {biz.TypeAudio, a, nil, []biz.AudioID{a}},
		"JSON":               {biz.TypeAudio, string(object), nil, []biz.AudioID{a}},
		"protobuf":           {biz.TypeAudio, proto, nil, []biz.AudioID{a, b}},
		"metadata":           {biz.TypeAudio, "x", map[string]string{"k": "v", "audio_id": b}, []biz.AudioID{b}},
		"twice":              {biz.TypeAudio, a + a, map[string]string{"audio_id": a}, []biz.AudioID{a}},
		"behind dashes":      {biz.TypeAudio, "------------" + a + "-" + b + "---", nil, []biz.AudioID{a, b}},
		"cut off":            {biz.TypeAudio, a[:35], nil, nil},
		"no id of ours":      {biz.TypeAudio, "019ab000-0000-4000-8000-00000000000a", nil, nil},
		"in capitals":        {biz.TypeAudio, strings.ToUpper(a), nil, nil},
		"not hexadecimal":    {biz.TypeAudio, "019ab000-0000-7000-8000-00000000000x", nil, nil},
		"an id in a text":    {biz.TypeText, a, nil, nil},
		"an address in text": {biz.TypeText, "hear: https://chat.example.com/audio/" + a + "?sig=x", nil, []biz.AudioID{a}},
		"a page with two":    {biz.TypeRichText, `<audio src="/audio/` + b + `"><audio src="/audio/` + a + `">`, nil, []biz.AudioID{a, b}},
		"another address":    {biz.TypeText, "/audio/" + a[:20], nil, nil},
	} {
		m := &biz.Message{Type: test.kind, Content: []byte(test.content), Metadata: test.metadata}
		if got := biz.AudioRefs(m); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "019ab000-0000-7000-8000-%012x ", i)
	}
	if got := biz.AudioRefs(&biz.Message{Type: biz.TypeAudio, Content: []byte(many.String())}); len(got) != 16 {
		t.Errorf("%d of 40", len(got))
	}
}

func BenchmarkAudioRefs(b *testing.B) {
	m := &biz.Message{Type: biz.TypeText, Content: []byte(strings.Repeat("what people say. ", 20))}
	for b.Loop() {
		biz.AudioRefs(m)
	}
}
