package biz

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// uploads are those that run on this node.
type uploads struct {
	mu      sync.Mutex
	running map[*upload]struct{}
	claimed int            // running uploads that have a user
	byUser  map[UserID]int // of those
	stopped bool
	none    chan struct{} // closed when stopped and none runs
}

func newUploads() uploads {
	return uploads{running: make(map[*upload]struct{}), byUser: make(map[UserID]int), none: make(chan struct{})}
}

// upload is one that runs. Its context ends when the sender stalls, when it takes too long, and when
// the node stops.
type upload struct {
	all    *uploads
	rules  *AudioRules // those that it began under
	ctx    context.Context
	cancel context.CancelCauseFunc
	free   context.CancelFunc
	stall  *time.Timer
	user   UserID // empty until claimed
}

func (s *uploads) begin(ctx context.Context, rules *AudioRules) (*upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return nil, errStopping()
	}
	ctx, free := context.WithTimeoutCause(ctx, rules.UploadTimeout,
		Errorf(KindUnavailable, "UPLOAD_TIMEOUT", "the upload took longer than %s", rules.UploadTimeout))
	u := &upload{all: s, rules: rules, free: free}
	u.ctx, u.cancel = context.WithCancelCause(ctx)
	u.stall = time.AfterFunc(rules.IdleTimeout, func() {
		u.cancel(Errorf(KindUnavailable, "UPLOAD_STALLED", "nothing came for %s", rules.IdleTimeout))
	})
	s.running[u] = struct{}{}
	return u, nil
}

func errStopping() *Error {
	return Errorf(KindUnavailable, "NOT_SERVING", "the node is stopping; upload again")
}

func (u *upload) end() {
	u.stall.Stop()
	u.cancel(nil)
	u.free()
	s := u.all
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, u)
	if u.user != "" {
		s.claimed--
		if s.byUser[u.user]--; s.byUser[u.user] == 0 {
			delete(s.byUser, u.user)
		}
	}
	if s.stopped && len(s.running) == 0 {
		close(s.none)
	}
}

// claim takes one of the places for uploads.
func (u *upload) claim(user UserID) error {
	s := u.all
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byUser[user] >= u.rules.MaxUploadsPerUser:
		return Errorf(KindResourceLimit, "TOO_MANY_UPLOADS", "user %q uploads %d recordings already; at most %d at a time are allowed",
			user, s.byUser[user], u.rules.MaxUploadsPerUser)
	case s.claimed >= u.rules.MaxUploads:
		return Errorf(KindResourceLimit, "TOO_MANY_UPLOADS", "%d uploads run on this node, its limit; try again later", s.claimed)
	}
	u.user = user
	s.claimed++
	s.byUser[user]++
	return nil
}

func (s *uploads) stop(ctx context.Context) error {
	s.mu.Lock()
	if !s.stopped {
		s.stopped = true
		for u := range s.running {
			u.cancel(errStopping())
		}
		if len(s.running) == 0 {
			close(s.none)
		}
	}
	s.mu.Unlock()
	select {
	case <-s.none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *upload) draft(src AudioSource) (AudioDraft, error) {
	defer u.stall.Stop()
	return src.Draft(u.ctx)
}

// next watches the sender, whose fault it is not when the disk is slow.
func (u *upload) next(src AudioSource) ([]byte, error) {
	u.stall.Reset(u.rules.IdleTimeout)
	defer u.stall.Stop()
	return src.Next(u.ctx)
}

// copy writes what src has, which must be size bytes.
func (u *upload) copy(w io.Writer, src AudioSource, size int64) error {
	var n int64
	for {
		chunk, err := u.next(src)
		switch {
		case errors.Is(err, io.EOF) && n == size:
			return nil
		case errors.Is(err, io.EOF):
			return Errorf(KindInvalid, "AUDIO_SIZE", "%d bytes came; %d were declared", n, size)
		case err != nil:
			return err
		}
		if n += int64(len(chunk)); n > size {
			return Errorf(KindInvalid, "AUDIO_SIZE", "more bytes come than the %d that were declared", size)
		}
		if _, err := w.Write(chunk); err != nil {
			return err
		}
	}
}

// explain says why the upload's context has ended, if that is what err is.
func (u *upload) explain(err error) error {
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	var why *Error
	if ended && errors.As(context.Cause(u.ctx), &why) {
		return why
	}
	return err
}
