package auth

import (
	"context"
	"strconv"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Dev believes every caller, on the loopback: configuration is refused otherwise.
type Dev struct{}

// Name is dev.
func (Dev) Name() string { return conf.ModeDev }

// Authenticate believes what is claimed. A token is ignored.
func (Dev) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	return believe(c)
}

// Trusted believes every caller, anywhere: for networks that only one's own backends can reach.
type Trusted struct{}

// Name is trusted.
func (Trusted) Name() string { return conf.ModeTrusted }

// Authenticate believes what is claimed. A token is ignored.
func (Trusted) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	return believe(c)
}

func believe(c plugin.Credentials) (plugin.Identity, error) {
	gid, err := parseGID(c.GID)
	if err != nil {
		return plugin.Identity{}, err
	}
	return plugin.Identity{UserID: c.UserID, GID: gid, DeviceID: c.DeviceID, Trusted: true}, nil
}

// parseGID reads a claimed gid. Empty is 0: none.
func parseGID(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	gid, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, plugin.Unauthenticated("gid must be a decimal number of at most 63 bits")
	}
	return gid, nil
}
