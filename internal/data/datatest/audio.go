package datatest

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var audioSuite = map[string]func(scene){
	"unknown": func(s scene) {
		_, err := s.Audios.Audio(s.context(), "nothing")
		s.wantKind(err, biz.KindNotFound)
	},
	"keeps everything": func(s scene) {
		for id, transcribe := range map[biz.AudioID]bool{"1": false, "2": true} {
			want := recording(id)
			if transcribe {
				want.Measured, want.Waveform = true, "\x00\x01\xff"
			}
			s.addAudio(want, transcribe)
			s.equal("audio", s.audio(id), want)
		}
	},
	"ids compare byte by byte": func(s scene) {
		for i, id := range strangeIDs {
			a := recording(biz.AudioID(id))
			a.Size = int64(i + 1)
			s.addAudio(a, i%2 == 0)
		}
		for i, id := range strangeIDs {
			s.equal("size", s.audio(biz.AudioID(id)).Size, int64(i+1))
		}
	},
	"an id is used once": func(s scene) {
		s.addAudio(recording("a"), false)
		other := recording("a")
		other.User = "somebody else"
		if err := s.Audios.Add(s.context(), other, true); err == nil {
			s.t.Error("added again")
		}
		s.equal("audio", s.audio("a"), recording("a"))
	},
	"canceled": func(s scene) {
		ctx, cancel := context.WithCancel(s.context())
		cancel()
		s.wantKind(s.Audios.Add(ctx, recording("a"), true), biz.KindCanceled)
		_, err := s.Audios.Audio(ctx, "a")
		s.wantKind(err, biz.KindCanceled)
		_, err = s.Audios.Audio(s.context(), "a")
		s.wantKind(err, biz.KindNotFound)
	},
}

func recording(id biz.AudioID) biz.Audio {
	return biz.Audio{
		ID: id, Room: "room ✓", User: "user ✓", Format: "opus", Size: 1 << 40,
		Duration: 90*time.Minute + time.Microsecond, CreatedAt: aTime,
	}
}

func (s scene) addAudio(a biz.Audio, transcribe bool) {
	s.t.Helper()
	if err := s.Audios.Add(s.context(), a, transcribe); err != nil {
		s.t.Fatal(err)
	}
}

func (s scene) audio(id biz.AudioID) biz.Audio {
	s.t.Helper()
	a, err := s.Audios.Audio(s.context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}
