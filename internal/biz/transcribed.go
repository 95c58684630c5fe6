package biz

import (
	"context"
	"errors"
)

// TranscriptEncoder puts the transcript of a recording into the content of an AUDIO message. changed is false when it
// has it, plays another recording, or is no content that could.
type TranscriptEncoder func(content []byte, audio AudioID, text string) (with []byte, changed bool)

// Transcribed shows a transcript in the messages that its recording is heard in, each by an edit that is nobody's.
// It may be called again.
func (r *Revisions) Transcribed(ctx context.Context, room RoomID, t *Transcript) (heard int, err error) {
	seqs, err := r.repo.HeardIn(ctx, room, t.Audio)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, seq := range seqs {
		act := &transcribed{revision: revision{seq: seq}, audio: t.Audio, text: t.Text, encode: r.encode, most: r.messages.rules.Load().MaxContentBytes}
		_, err := r.do(ctx, act.draft(room, act))
		errs = append(errs, err)
	}
	return len(seqs), errors.Join(errs...)
}

// transcribed is the Act.
type transcribed struct {
	revision
	audio  AudioID
	text   string
	encode TranscriptEncoder
	most   int // bytes of content
}

// Needs implements Act.
func (t *transcribed) Needs() ActNeeds { return ActNeeds{Message: t.seq} }

// Decide implements Act. The sender has not edited anything, so that the number of edits stays.
func (t *transcribed) Decide(s ActState) (ActPlan, error) {
	m := s.Message
	if m == nil || m.Type != TypeAudio || m.State != nil && m.State.Recalled {
		return ActPlan{}, nil
	}
	content, changed := t.encode(m.Content, t.audio, t.text)
	if !changed || len(content) > t.most {
		return ActPlan{}, nil
	}
	t.after = m.State.next()
	event := t.event(EventEdited)
	event.Content, event.Metadata = content, m.Metadata
	return ActPlan{Event: event, Edit: &Edit{
		State: t.after, Replace: true, Content: content, Metadata: m.Metadata, Mentions: m.Mentions,
	}}, nil
}
