package auth

import (
	"log/slog"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/linked"
	"github.com/game-im/hermod/plugin"
)

// New returns the authenticator that auth.mode names, of those that are built in and those that
// were linked. The cleanup ends what it runs in the background.
func New(c *conf.Auth, others []plugin.Plugin, log *slog.Logger) (plugin.Authenticator, func(), error) {
	tokens, err := NewJWT(c.GetJwt(), log)
	if err != nil {
		return nil, nil, err
	}
	builtin := []plugin.Plugin{Dev{}, Trusted{}, tokens}
	chosen, err := Select(c.GetMode(), append(builtin, others...))
	if err != nil {
		tokens.Close()
		return nil, nil, err
	}
	return chosen, tokens.Close, nil
}

// Select returns the authenticator whose name is mode. Plugins without that capability are passed
// over. An unknown name is an error that lists the known ones, and so is one that two of them have.
func Select(mode string, plugins []plugin.Plugin) (plugin.Authenticator, error) {
	return linked.Choose[plugin.Authenticator](plugins, "auth.mode", mode, "authenticators")
}
