package biz

import (
	"context"
	"io"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// maxRecording is longer than anything that fits a message to people.
const maxRecording = 24 * time.Hour

// Audios is recordings: who may put one into a room, and who may hear it. Safe for concurrent use.
type Audios struct {
	rooms       RoomRepo
	members     MemberRepo
	stores      AudioStores
	audios      AudioRepo // of stores
	transcripts Waker
	rules       atomic.Pointer[AudioRules]
	log         *slog.Logger
	uploads     uploads
	waveforms   *waveforms
}

// NewAudios returns the use cases of recordings.
func NewAudios(rooms RoomRepo, members MemberRepo, stores AudioStores, transcripts Waker, rules AudioRules, log *slog.Logger) *Audios {
	a := &Audios{
		rooms: rooms, members: members, stores: stores, audios: stores.Audios, transcripts: transcripts, log: log,
		uploads: newUploads(), waveforms: newWaveforms(stores, log),
	}
	a.SetRules(rules)
	return a
}

// SetRules replaces the rules, for uploads that begin from then on.
func (a *Audios) SetRules(rules AudioRules) { a.rules.Store(&rules) }

// Upload takes a recording. Everything that can be known beforehand is checked before a byte is
// stored, and when it fails nothing stays. Once it has returned an Audio, that is kept as durably
// as a message.
func (a *Audios) Upload(ctx context.Context, by Identity, src AudioSource) (Audio, error) {
	u, err := a.uploads.begin(ctx, a.rules.Load())
	if err != nil {
		return Audio{}, err
	}
	defer u.end()
	audio, err := a.receive(u, by, src)
	if err != nil {
		return Audio{}, u.explain(err)
	}
	return audio, nil
}

func (a *Audios) receive(u *upload, by Identity, src AudioSource) (Audio, error) {
	draft, err := u.draft(src)
	if err != nil {
		return Audio{}, err
	}
	audio, config, err := a.check(u, by, draft)
	if err != nil {
		return Audio{}, err
	}
	if err := u.claim(audio.User); err != nil {
		return Audio{}, err
	}
	if err := a.store(u, audio, src); err != nil {
		return Audio{}, err
	}
	if err := a.keep(u.ctx, &audio, config.AutoTranscribe); err != nil {
		a.forget(u.ctx, audio.ID)
		return Audio{}, err
	}
	if config.AutoTranscribe {
		a.transcripts.Wake()
	}
	return audio, nil
}

// keep adds an upload whose bytes are stored, with what they say of it.
func (a *Audios) keep(ctx context.Context, audio *Audio, transcribe bool) error {
	facts, err := a.examine(ctx, audio)
	if err != nil {
		return err
	}
	d := a.waveforms.begin(*audio, facts)
	audio.Waveform = d.within(ctx, waveformPatience)
	err = a.audios.Add(ctx, *audio, transcribe)
	d.without(err == nil && audio.Waveform == "")
	return err
}

// check tells what the upload will be, and the settings of its room.
func (a *Audios) check(u *upload, by Identity, d AudioDraft) (Audio, RoomConfig, error) {
	ctx := u.ctx
	user, err := by.ActAs(d.User)
	if err != nil {
		return Audio{}, RoomConfig{}, err
	}
	if err := checkID("room_id", string(d.Room)); err != nil {
		return Audio{}, RoomConfig{}, err
	}
	room, err := a.rooms.Room(ctx, d.Room)
	if err != nil {
		return Audio{}, RoomConfig{}, err
	}
	member, err := a.members.Member(ctx, d.Room, user)
	if err != nil {
		return Audio{}, RoomConfig{}, explainNoMember(ctx, a.rooms, d.Room, user, err)
	}
	if member.MutedAt(time.Now()) {
		return Audio{}, RoomConfig{}, Errorf(KindPermissionDenied, "MUTED", "user %q is muted in room %q", user, d.Room)
	}
	if err := room.Config.accepts(TypeAudio); err != nil {
		return Audio{}, RoomConfig{}, err
	}
	audio, err := u.rules.describe(d)
	if err != nil {
		return Audio{}, RoomConfig{}, err
	}
	audio.User = user
	return audio, room.Config, nil
}

// describe turns a draft into what is kept of it, or says what is wrong with it.
func (r *AudioRules) describe(d AudioDraft) (Audio, error) {
	format := strings.ToLower(d.Format)
	switch {
	case !slices.Contains(r.Formats, format):
		return Audio{}, Errorf(KindInvalid, "AUDIO_FORMAT", "format %s is not taken; %s are", quote(d.Format), strings.Join(r.Formats, ", "))
	case d.Size <= 0:
		return Audio{}, Errorf(KindInvalid, "AUDIO_SIZE", "size is %d; it must be the exact number of bytes that follow, and at least 1", d.Size)
	case d.Size > r.MaxBytes:
		return Audio{}, Errorf(KindInvalid, "AUDIO_TOO_LARGE", "the recording has %d bytes; at most %d are allowed", d.Size, r.MaxBytes)
	case !(d.Seconds >= 0 && d.Seconds <= maxRecording.Seconds()): // NaN is neither
		return Audio{}, Errorf(KindInvalid, "AUDIO_DURATION", "duration is %g; 0 (not known) to %g seconds are allowed", d.Seconds, maxRecording.Seconds())
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Audio{}, err
	}
	return Audio{
		ID: AudioID(id.String()), Room: d.Room, Format: format, Size: d.Size,
		Duration:  time.Duration(math.Round(d.Seconds*1e6)) * time.Microsecond,
		CreatedAt: time.Now(),
	}, nil
}

// store makes the bytes that src has a blob.
func (a *Audios) store(u *upload, audio Audio, src AudioSource) error {
	w, err := a.stores.Blobs.Create(u.ctx, string(audio.ID))
	if err != nil {
		return err
	}
	whole := false
	defer func() { // after a panic as well
		if whole {
			return
		}
		if err := w.Discard(); err != nil {
			a.log.Warn("a broken upload could not be discarded", "audio", audio.ID, "error", err)
		}
	}()
	if err := u.copy(w, src, audio.Size); err != nil {
		return err
	}
	whole = true
	return w.Commit()
}

// forgetTimeout bounds the cleaning up after a store that failed, which may go on failing.
const forgetTimeout = 5 * time.Second

// forget deletes the blob of an upload that was not kept. Where that is in doubt, Sweep does it.
func (a *Audios) forget(ctx context.Context, id AudioID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	_, err := a.audios.Audio(ctx, id)
	if err == nil || KindOf(err) != KindNotFound {
		return
	}
	if err := a.stores.Blobs.Delete(ctx, string(id)); err != nil {
		a.log.Warn("the bytes of an upload that was not kept could not be deleted", "audio", id, "error", err)
	}
}

// Audio describes an upload to a member of its room, to a service, or to a trusted caller who
// speaks for nobody.
func (a *Audios) Audio(ctx context.Context, by Identity, named UserID, id AudioID) (Audio, error) {
	if err := checkID("audio_id", string(id)); err != nil {
		return Audio{}, err
	}
	service := slices.Contains(by.Roles, RoleService)
	var user UserID
	switch {
	case named != "" || by.User != "":
		var err error
		if user, err = by.ActAs(named); err != nil {
			return Audio{}, err
		}
	case !by.Trusted && !service:
		return Audio{}, Errorf(KindUnauthenticated, "UNAUTHENTICATED", "who is calling is not known")
	}
	audio, err := a.audios.Audio(ctx, id)
	if err != nil || service || user == "" {
		return audio, err
	}
	if _, err := a.members.Member(ctx, audio.Room, user); err != nil {
		return Audio{}, explainNoMember(ctx, a.rooms, audio.Room, user, err)
	}
	return audio, nil
}

// Open returns an upload with its bytes, which the caller closes, to whom Audio describes it.
func (a *Audios) Open(ctx context.Context, by Identity, id AudioID) (Audio, io.ReadSeekCloser, error) {
	audio, err := a.Audio(ctx, by, "", id)
	if err != nil {
		return Audio{}, nil, err
	}
	return a.open(ctx, audio)
}

func (a *Audios) open(ctx context.Context, audio Audio) (Audio, io.ReadSeekCloser, error) {
	r, err := a.stores.Blobs.Open(ctx, string(audio.ID))
	if err != nil && KindOf(err) == KindNotFound {
		err = Errorf(KindInternal, "AUDIO_LOST", "the bytes of this audio are lost").Because(err)
	}
	if err != nil {
		return Audio{}, nil, err
	}
	return audio, r, nil
}
