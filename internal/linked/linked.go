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
// that capability are passed over. An unknown name is a conf.Problem that lists the known ones; that
// two plugins of the capability, which what names in the plural, have one name is an error as well.
func Choose[C any](plugins []plugin.Plugin, key, value, what string) (C, error) {
	var chosen C
	var names []string
	found := false
	for _, p := range plugins {
		c, ok := plugin.As[C](p)
		if !ok {
			continue
		}
		if slices.Contains(names, p.Name()) {
			return chosen, fmt.Errorf("two %s are named %q", what, p.Name())
		}
		names = append(names, p.Name())
		if p.Name() == value {
			chosen, found = c, true
		}
	}
	if !found {
		slices.Sort(names)
		return chosen, conf.Problems{{
			Path: key, Text: fmt.Sprintf("%q is not known; one of %s", value, strings.Join(names, ", ")),
		}}
	}
	return chosen, nil
}
