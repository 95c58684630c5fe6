package conf

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"time"
)

// Set is everything that a node's configuration comes from: the defaults, then the sources in their
// order, then the overrides. Later ones win key by key.
type Set struct {
	Sources   []Source
	Overrides []Override
}

// Load reads and merges everything and checks the result, in which every key has a value. An error
// of type Problems says all that is wrong at once; an *Unreachable, which place does not answer.
func (s Set) Load(ctx context.Context) (*Merged, error) {
	docs, err := s.read(ctx)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		return nil, err
	}
	return s.merge(docs, problems)
}

// read returns the documents of every source. Problems come with the documents of the others, so
// that all can be said at once.
func (s Set) read(ctx context.Context) ([]Document, error) {
	var docs []Document
	var problems Problems
	for _, source := range s.Sources {
		more, err := readInTime(ctx, source)
		var wrong Problems
		switch {
		case errors.As(err, &wrong):
			problems = append(problems, wrong...)
		case err != nil:
			return nil, &Unreachable{Source: source.String(), Err: err}
		}
		docs = append(docs, more...)
	}
	return docs, problems.err()
}

// readTimeout bounds one attempt to read one source.
const readTimeout = 5 * time.Second

func readInTime(ctx context.Context, s Source) ([]Document, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return s.Read(ctx)
}

func (s Set) merge(docs []Document, problems Problems) (*Merged, error) {
	l := loader{env: os.LookupEnv, problems: problems}
	c, err := l.load(append([]Document{defaults()}, docs...), s.Overrides)
	if err != nil {
		return nil, err
	}
	return &Merged{Config: c, origins: l.origins, fingerprint: fingerprint(docs, nil)}, nil
}

// Unreachable is a source that does not answer, as opposed to one that says something wrong.
type Unreachable struct {
	Source string
	Err    error
}

func (u *Unreachable) Error() string {
	return fmt.Sprintf("configuration at %s cannot be reached: %v", u.Source, u.Err)
}

func (u *Unreachable) Unwrap() error { return u.Err }

// The pauses of LoadPatiently between its attempts.
var pauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// LoadPatiently is Load for the start of a node: a source that cannot be reached gets five attempts
// within a minute, since a node and its config centre may be started together. failed, unless nil,
// is told of each attempt that is followed by another one.
func (s Set) LoadPatiently(ctx context.Context, failed func(err error, again time.Duration)) (*Merged, error) {
	begun := time.Now()
	for attempt := 0; ; attempt++ {
		m, err := s.Load(ctx)
		var away *Unreachable
		switch {
		case !errors.As(err, &away):
			return m, err
		case attempt == len(pauses) || ctx.Err() != nil:
			return nil, fmt.Errorf("%w; tried %d times in %s", err, attempt+1, time.Since(begun).Round(time.Second))
		case failed != nil:
			failed(err, pauses[attempt])
		}
		select {
		case <-time.After(pauses[attempt]):
		case <-ctx.Done():
		}
	}
}

// fingerprint is the same for the same documents with the same problems.
func fingerprint(docs []Document, problems Problems) string {
	h := sha256.New()
	for _, d := range docs {
		fmt.Fprintf(h, "%q %d\n", d.Name, len(d.Text))
		h.Write(d.Text)
	}
	for _, p := range problems {
		fmt.Fprintf(h, "%q\n", p)
	}
	return string(h.Sum(nil))
}
