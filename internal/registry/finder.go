package registry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"slices"
	"sync"
	"time"

	kregistry "github.com/go-kratos/kratos/v2/registry"

	"github.com/game-im/hermod/plugin"
)

// Found is an instance of somebody else's service.
type Found = plugin.Endpoint

const (
	// findersLeave is how long a registry's client, some of which know no contexts, may take to let go.
	findersLeave = time.Second
	// silentFor is after how long without a word about a service somebody should know.
	silentFor = 2 * callTimeout
)

// Finder follows what a registry has under some names while Run runs. A registry that fails changes
// nothing: what was found last stands until it works again.
type Finder struct {
	registrar Registrar
	names     func() (names []string, changed <-chan struct{})
	found     func(name string, at []Found)
	log       *slog.Logger
}

// NewFinder returns a Finder, which owns the registrar from now on. names says what to look for, and
// tells of changes; found is told what there is under a name, whenever that changes.
func NewFinder(r Registrar, names func() ([]string, <-chan struct{}), found func(string, []Found), log *slog.Logger) *Finder {
	return &Finder{registrar: r, names: names, found: found, log: log}
}

// Run follows the names until ctx ends. It returns no error: what was found stays.
func (f *Finder) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	following := map[string]context.CancelFunc{}
	for ctx.Err() == nil {
		names, changed := f.names()
		for name, stop := range following {
			if !slices.Contains(names, name) {
				stop()
				delete(following, name)
			}
		}
		for _, name := range names {
			if following[name] == nil {
				follow, stop := context.WithCancel(ctx)
				following[name] = stop
				wg.Go(func() { f.follow(follow, name) })
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	for _, stop := range following {
		stop()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wg.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(findersLeave):
		f.log.Warn("the registry holds up what looks for services there, which is left behind")
	}
	if err := f.registrar.Close(); err != nil {
		f.log.Warn("the connection to the registry did not close", "error", err)
	}
	return nil
}

// follow watches one name, again and again if that fails.
func (f *Finder) follow(ctx context.Context, name string) {
	failing, retry := false, firstRetry
	// Some registries say nothing of what they do not have, and some clients nothing of a registry that
	// is away.
	silent := time.AfterFunc(silentFor, func() {
		f.log.Warn("the registry has said nothing of a service yet", "service", name)
	})
	defer silent.Stop()
	for ctx.Err() == nil {
		err := f.watch(ctx, name, func() {
			silent.Stop()
			if failing {
				f.log.Info("a service is followed in the registry again", "service", name)
			}
			failing, retry = false, firstRetry
		})
		if ctx.Err() != nil {
			return
		}
		if !failing {
			failing = true
			f.log.Warn("a service cannot be followed in the registry; what is known of it stands", "service", name, "error", err)
		}
		timer := time.NewTimer(retry/2 + rand.N(retry/2+1))
		retry = min(2*retry, lastRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// watch tells of what there is under a name until ctx ends or the registry fails; worked is called each
// time.
func (f *Finder) watch(ctx context.Context, name string, worked func()) error {
	in, ok := f.registrar.(plugin.RegistryWatcher)
	if !ok {
		<-ctx.Done() // nowhere
		return nil
	}
	return in.Watch(ctx, name, func(all []Found) {
		worked()
		f.found(name, all)
	})
}

// addresses returns where instances are reached, each once: by gRPC if they say so, and where nothing is
// said of gRPC, as in what is no Kratos program's, by what there is.
func addresses(instances []*kregistry.ServiceInstance) (all []Found) {
	for _, i := range instances {
		best, rank := Found{}, 0
		for _, e := range i.Endpoints {
			u, err := url.Parse(e)
			if err != nil || u.Port() == "" || u.Hostname() == "" {
				continue
			}
			if r := map[string]int{plain: 3, secure: 2, "http": 1}[u.Scheme]; r > rank {
				best, rank = Found{Address: u.Host, Secure: u.Scheme == secure}, r
			}
		}
		if rank > 0 && !slices.Contains(all, best) {
			all = append(all, best)
		}
	}
	return all
}
