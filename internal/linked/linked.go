// Package linked finds the plugin that configuration names among those that were linked into the
// node.
package linked

import (
	"fmt"
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Choose returns the plugin with the capability C whose name is the value of key. Plugins without
// that capability are passed over. A name that is not linked is a conf.Problem that lists those that are;
// so is one that two plugins of the capability have, which what names in the plural.
func Choose[C any](plugins []plugin.Plugin, key, value, what string) (C, error) {
	var chosen C
	var names []string
	found := false
	for _, p := range plugins {
		c, ok := plugin.As[C](p)
		if !ok {
			continue
		}
		if p.Name() == value && found {
			return chosen, problem(key, "two %s are named %q; link one of them", what, value)
		}
		names = append(names, p.Name())
		if p.Name() == value {
			chosen, found = c, true
		}
	}
	switch {
	case found:
		return chosen, nil
	case len(names) == 0:
		return chosen, problem(key, "%q is not linked into this node, which has no %s at all; those that are shipped are in hermod.Standard()", value, what)
	}
	slices.Sort(names)
	return chosen, problem(key, "%q is not linked into this node%s; one of %s", value, conf.DidYouMean(value, names), strings.Join(slices.Compact(names), ", "))
}

func problem(key, format string, args ...any) error {
	return conf.Problems{{Path: key, Text: fmt.Sprintf(format, args...)}}
}
