package centre

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

// Source is a document, or a folder of documents, in a config centre.
type Source interface {
	conf.Source
	// Close gives the connection back. Nothing can be read afterwards.
	Close() error
}

// Options are what a source needs besides its address.
type Options struct {
	// Dir is where the client of Nacos keeps files; the others keep none. It is made when needed.
	Dir string
}

// Is tells whether a name of a source is the address of a config centre, not a path.
func Is(name string) bool { return strings.Contains(name, "://") }

// Open returns the source that an address names, like etcd://127.0.0.1:2379/hermod/prod.yaml. It
// does not connect. An error is of type conf.Problems and repeats no credentials.
func Open(name string, o Options) (Source, error) {
	a, err := parse(name, os.Getenv)
	if err != nil {
		return nil, conf.Problems{{Text: err.Error(), Source: redacted(name)}}
	}
	return kinds[a.kind].open(a, o), nil
}

// redacted is as much of an address as can be shown when it was not understood.
func redacted(name string) string {
	scheme, rest, _ := strings.Cut(name, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return scheme + "://" + rest
}

// absent is the problem of an address where nothing is.
func (a address) absent() error {
	what := "there is no key " + a.key + ", or it is empty"
	if a.folder() {
		what = "no key below " + a.key + " ends in .yaml, .yml or .json"
	}
	return conf.Problems{{Text: what + "; put the configuration there first", Source: a.String()}}
}

// explain adds why nobody answers to the error of a client that only says that it took too long.
func (a address) explain(err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	for _, host := range a.hosts {
		conn, failed := net.DialTimeout("tcp", host, time.Second)
		if failed != nil {
			err = fmt.Errorf("%w; %w", err, failed)
			continue
		}
		_ = conn.Close() // nothing was written
	}
	return err
}

// entry is a key of a centre with its value.
type entry struct {
	key   string
	value []byte
}

// documents picks what is configuration, in order of the keys.
func (a address) documents(entries []entry) ([]conf.Document, error) {
	var docs []conf.Document
	slices.SortFunc(entries, func(x, y entry) int { return strings.Compare(x.key, y.key) })
	for _, e := range entries {
		below := a
		below.key = e.key
		switch {
		case len(e.value) == 0 && !a.folder(), a.folder() && !conf.IsDocument(e.key):
			continue
		default:
			docs = append(docs, conf.Document{Name: below.String(), Text: e.value, Lines: true})
		}
	}
	if len(docs) == 0 {
		return nil, a.absent()
	}
	return docs, nil
}

var errClosed = errors.New("the source is closed")

// The pauses of a watch whose centre does not answer.
const (
	leastPause = time.Second
	mostPause  = 30 * time.Second
)

// pause waits between two attempts, longer each time.
type pause time.Duration

func (p *pause) wait(ctx context.Context) {
	*p = min(max(2**p, pause(leastPause)), pause(mostPause))
	t := time.NewTimer(time.Duration(*p))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
