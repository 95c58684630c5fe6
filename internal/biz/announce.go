package biz

import (
	"context"
	"strconv"
	"time"
)

// The events that a room is told of as SYSTEM messages, and the metadata that names them, so that
// receivers need not decode the content.
const (
	EventTranscriptCompleted EventType = "transcript_completed"
	EventTranscriptFailed    EventType = "transcript_failed"

	// MetaAudioID is the metadata of those events that names the recording.
	MetaAudioID = "audio_id"
)

// announceFor is how long a room is told of a transcript by itself; a little less than the log knows repetitions by
// their ids. What is due later is for a message that the recording was sent in afterwards.
const announceFor = 23 * time.Hour

// announce shows a transcript that has ended in the messages that its recording is heard in, and tells the room of
// it. It may be called again: what it says is made of what is stored, under an id that goes with the upload, so that
// a durable room hears it once.
func (t *Transcripts) announce(ctx context.Context, job TranscriptJob) error {
	heard, err := t.show(ctx, &job)
	if err != nil || heard > 0 && time.Since(job.Transcript.UpdatedAt) > announceFor {
		return err
	}
	return t.tellOf(ctx, job)
}

// show shows a transcript in the messages that its recording is heard in, and returns how many there are.
func (t *Transcripts) show(ctx context.Context, job *TranscriptJob) (heard int, err error) {
	if t.stores.Heard == nil || job.Transcript.Status != TranscriptCompleted {
		return 0, nil
	}
	heard, err = t.stores.Heard.Transcribed(ctx, job.Audio.Room, &job.Transcript)
	if KindOf(err) == KindNotFound { // the room is gone
		return heard, nil
	}
	return heard, err
}

func (t *Transcripts) tellOf(ctx context.Context, job TranscriptJob) error {
	event, content, err := t.event(job)
	if err != nil {
		return err
	}
	err = t.messages.Tell(ctx, &Draft{Message: Message{
		Room: job.Audio.Room, Sender: job.Audio.User, ClientID: "transcript-" + string(job.Audio.ID),
		Type: TypeSystem, Content: content,
		Metadata: map[string]string{MetaEventType: string(event), MetaAudioID: string(job.Audio.ID)},
	}})
	switch KindOf(err) {
	case KindNotFound, KindConflict:
		// There is no room any more, or its uploader has used the id for something else. Neither
		// changes by waiting.
		t.log.Warn("a room cannot be told of a transcript", "audio", job.Audio.ID, "error", err)
		return nil
	}
	return err
}

// event returns what there is to say of a transcript. A text that is too large for a message is left
// out; whoever wants it fetches the transcript.
func (t *Transcripts) event(job TranscriptJob) (event EventType, content []byte, err error) {
	tr := job.Transcript
	event = EventTranscriptCompleted
	data := map[string]string{MetaAudioID: string(tr.Audio), "user_id": string(job.Audio.User)}
	if tr.Status == TranscriptFailed {
		event = EventTranscriptFailed
		data["reason"] = tr.Reason
	} else {
		data["text"] = tr.Text
		if tr.Confidence > 0 {
			data["confidence"] = strconv.FormatFloat(tr.Confidence, 'f', -1, 64)
		}
	}
	content, err = t.encode(Event{Type: event, Data: data})
	if err == nil && len(content) > t.messages.rules.Load().MaxContentBytes {
		delete(data, "text")
		content, err = t.encode(Event{Type: event, Data: data})
	}
	return event, content, err
}
