package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// patience bounds one authentication, so that an authenticator always has a deadline.
const patience = 10 * time.Second

// Verifier tells who clients are, by the authenticator that was chosen.
type Verifier struct {
	chosen plugin.Authenticator
	log    *slog.Logger
}

// NewVerifier makes a Verifier. log gets the failures of the authenticator, not its refusals.
func NewVerifier(chosen plugin.Authenticator, log *slog.Logger) *Verifier {
	return &Verifier{chosen: chosen, log: log}
}

// Authenticate returns who is behind the credentials. It takes ten seconds at most. Errors:
// KindUnauthenticated, KindPermissionDenied, KindUnavailable when it cannot be told now, and
// KindInvalid for an id that cannot be one.
func (v *Verifier) Authenticate(ctx context.Context, c plugin.Credentials) (biz.Identity, error) {
	id, err := v.ask(ctx, c)
	if err != nil {
		return biz.Identity{}, v.refusal(ctx, err)
	}
	return toIdentity(id)
}

// ask puts the question to the authenticator, with a deadline unless it looks nothing up: a timer
// that was stopped keeps its memory for a while, which counts where ten thousand sessions open.
func (v *Verifier) ask(ctx context.Context, c plugin.Credentials) (plugin.Identity, error) {
	switch v.chosen.(type) {
	case Dev, Trusted:
		return v.chosen.Authenticate(ctx, c)
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return v.chosen.Authenticate(limited, c)
}

// Prove returns who is behind a token that a client's handshake brought, with the user and the device
// that it says it is. Errors are those of Authenticate.
func (v *Verifier) Prove(ctx context.Context, token string, user biz.UserID, device biz.DeviceID) (biz.Identity, error) {
	return v.Authenticate(ctx, plugin.Credentials{Token: token, UserID: string(user), DeviceID: string(device)})
}

// Refresh verifies a fresh token of a live session. The result has the new expiry and roles; that
// the token is of another user or gid than the session's is KindPermissionDenied, and the session
// keeps what it had.
func (v *Verifier) Refresh(ctx context.Context, held biz.Identity, token string) (biz.Identity, error) {
	c := plugin.Credentials{Token: token, UserID: string(held.User), DeviceID: string(held.Device)}
	if held.GID != 0 {
		c.GID = strconv.FormatInt(held.GID, 10)
	}
	fresh, err := v.Authenticate(ctx, c)
	if err != nil {
		return biz.Identity{}, err
	}
	if fresh.User != held.User || fresh.GID != held.GID {
		return biz.Identity{}, biz.Errorf(biz.KindPermissionDenied, "IDENTITY_CHANGED",
			"the token is of another user or gid than the session; open a new session for it")
	}
	fresh.Device = held.Device
	return fresh, nil
}

func (v *Verifier) refusal(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return biz.AsError(ctx.Err())
	}
	const unavailable = "AUTH_UNAVAILABLE"
	var refused *plugin.Error
	if !errors.As(err, &refused) {
		v.log.Warn("the authenticator failed", "error", err)
		return biz.Errorf(biz.KindUnavailable, unavailable, "who is calling cannot be checked now").Because(err)
	}
	made := biz.Errorf(biz.KindUnauthenticated, "UNAUTHENTICATED", "%s", refused.Reason)
	switch refused.Kind {
	case plugin.KindPermissionDenied:
		made = biz.Errorf(biz.KindPermissionDenied, "PERMISSION_DENIED", "%s", refused.Reason)
	case plugin.KindUnavailable:
		made = biz.Errorf(biz.KindUnavailable, unavailable, "%s", refused.Reason)
	}
	if refused.Cause != nil {
		return made.Because(refused.Cause)
	}
	return made
}

// toIdentity is the only place where a plugin's identity becomes ours, so nothing gets in that a
// database would refuse.
func toIdentity(id plugin.Identity) (biz.Identity, error) {
	err := errors.Join(checkID("user-id", id.UserID), checkID("device-id", id.DeviceID))
	err = errors.Join(err, checkID("the subject", id.Subject))
	for _, role := range id.Roles {
		err = errors.Join(err, checkID("a role", role))
	}
	if err != nil {
		return biz.Identity{}, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "%v", err)
	}
	return biz.Identity{
		User:    biz.UserID(id.UserID),
		GID:     id.GID,
		Device:  biz.DeviceID(id.DeviceID),
		Roles:   id.Roles,
		Subject: id.Subject,
		Trusted: id.Trusted,
		Expiry:  id.Expiry,
	}, nil
}

func checkID(name, text string) error {
	switch {
	case len(text) > biz.MaxIDBytes:
		return fmt.Errorf("%s has %d bytes; at most %d are allowed", name, len(text), biz.MaxIDBytes)
	case !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0:
		return fmt.Errorf("%s must be UTF-8 without NUL", name)
	}
	return nil
}
