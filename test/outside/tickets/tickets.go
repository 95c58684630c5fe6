// Package tickets is an authenticator: whoever shows a ticket is the one that it was made out to.
package tickets

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/game-im/hermod/plugin"
)

// Tickets is the plugin.
type Tickets struct {
	keys struct {
		Secret string `json:"secret"`
	}
}

var (
	_ plugin.Authenticator = (*Tickets)(nil)
	_ plugin.Configurable  = (*Tickets)(nil)
)

// New returns the plugin. It lets nobody in before the configuration has a secret.
func New() *Tickets { return &Tickets{} }

// Name is what auth.mode calls it.
func (*Tickets) Name() string { return "tickets" }

// Config returns its keys.
func (t *Tickets) Config() any { return &t.keys }

// Validate checks them.
func (t *Tickets) Validate() error {
	if len(t.keys.Secret) < 16 {
		return errors.New("secret must have 16 bytes at least")
	}
	return nil
}

// Issue makes a ticket out to a user.
func Issue(secret, user string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(user))
	return user + "." + hex.EncodeToString(mac.Sum(nil))
}

// Authenticate returns whose ticket it is.
func (t *Tickets) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	at := strings.LastIndexByte(c.Token, '.')
	if at < 0 {
		return plugin.Identity{}, plugin.Unauthenticated("a ticket is needed")
	}
	user := c.Token[:at]
	if !hmac.Equal([]byte(c.Token), []byte(Issue(t.keys.Secret, user))) {
		return plugin.Identity{}, plugin.Unauthenticated("the ticket is not one of ours")
	}
	if c.UserID != "" && c.UserID != user {
		return plugin.Identity{}, plugin.PermissionDenied("the ticket is not %s's", c.UserID)
	}
	return plugin.Identity{UserID: user, DeviceID: c.DeviceID}, nil
}
