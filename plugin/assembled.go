package plugin

// Assembled is a plugin that is put together when it is made, such as one that runs elsewhere: what it can
// do is what its parts can.
type Assembled interface {
	Plugin
	// Parts returns values with capabilities, those of this package's lifecycle included. It always returns
	// the same ones. Of two that have the same capability, the first is used.
	Parts() []any
}

// As returns what of p has the capability C: p itself, or that of its parts which does. Nodes ask with it
// for every capability, and plugins have no need to.
func As[C any](p Plugin) (c C, ok bool) {
	if c, ok = p.(C); ok {
		return c, true
	}
	a, some := p.(Assembled)
	if !some {
		return c, false
	}
	for _, part := range a.Parts() {
		if c, ok = part.(C); ok {
			return c, true
		}
	}
	return c, false
}
