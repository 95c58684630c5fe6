package auth

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// New returns the authenticator that auth.mode names, of those that are built in and those that
// were linked. The cleanup ends what it runs in the background.
func New(c *conf.Auth, linked []plugin.Plugin, log *slog.Logger) (plugin.Authenticator, func(), error) {
	tokens, err := NewJWT(c.GetJwt(), log)
	if err != nil {
		return nil, nil, err
	}
	builtin := []plugin.Plugin{Dev{}, Trusted{}, tokens}
	chosen, err := Select(c.GetMode(), append(builtin, linked...))
	if err != nil {
		tokens.Close()
		return nil, nil, err
	}
	return chosen, tokens.Close, nil
}

// Select returns the authenticator whose name is mode. Plugins without that capability are passed
// over. An unknown name is an error that lists the known ones, and so is one that two of them have.
func Select(mode string, plugins []plugin.Plugin) (plugin.Authenticator, error) {
	var chosen plugin.Authenticator
	var names []string
	for _, p := range plugins {
		a, ok := p.(plugin.Authenticator)
		if !ok {
			continue
		}
		if slices.Contains(names, p.Name()) {
			return nil, fmt.Errorf("two authenticators are named %q", p.Name())
		}
		names = append(names, p.Name())
		if p.Name() == mode {
			chosen = a
		}
	}
	if chosen == nil {
		slices.Sort(names)
		return nil, conf.Problems{{
			Path: "auth.mode", Text: fmt.Sprintf("%q is not known; one of %s", mode, strings.Join(names, ", ")),
		}}
	}
	return chosen, nil
}
