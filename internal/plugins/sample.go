package plugins

import (
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// sample is the share of events that an observer is told of. What an event is about decides, by a hash that is the
// same on all nodes and in all of their lives: so a session is seen from beginning to end or not at all, and
// observers with the same share see the same.
type sample uint64

// everything is the sample of those who have set none, for whom nothing is hashed.
const everything sample = math.MaxUint64

func sampleOf(share float64) sample {
	if share <= 0 || share >= 1 {
		return everything
	}
	return sample(share * (1 << 64))
}

// takes tells whether what an event is about belongs to the sample.
func (s sample) takes(about string) bool {
	return s == everything || sample(xxhash.Sum64String(about)) < s
}

// samplable tells what is wrong with a share of events for a plugin that does more than observe, or nothing.
func samplable(p plugin.Plugin, share float64, at string) *conf.Problem {
	if share == 0 {
		return nil
	}
	var what string
	switch {
	case has[plugin.MessageInterceptor](p):
		what = "intercepts messages"
	case has[plugin.Authorizer](p):
		what = "authorizes"
	case has[plugin.OfflineNotifier](p):
		what = "notifies people who are away"
	case has[plugin.ActionHandler](p):
		what = "answers actions"
	case !has[plugin.MessageObserver](p) && !has[plugin.RoomObserver](p) && !has[plugin.SessionObserver](p) && !has[plugin.RefusalObserver](p):
		what = "observes nothing"
	default:
		return nil
	}
	return &conf.Problem{Path: at + ".sample", Text: fmt.Sprintf("the plugin %s %s; a share is for plugins that observe and do nothing of the kind: leave it out", p.Name(), what)}
}

func has[C any](p plugin.Plugin) bool {
	_, ok := plugin.As[C](p)
	return ok
}
