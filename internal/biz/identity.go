package biz

import (
	"context"
	"slices"
	"time"
)

// RoleService is the role of a token whose holder may act for any user: a backend that keeps its
// users' streams.
const RoleService = "service"

// Identity is who is behind a call or a session.
type Identity struct {
	User   UserID // empty: not said yet
	GID    int64  // 0: none
	Device DeviceID
	Roles  []string
	// Subject is the service that calls, whoever it acts for; empty: one without a name, or a user.
	Subject string
	// Trusted is set when whoever can connect is trusted to say who he is.
	Trusted bool
	Expiry  time.Time // zero: never
}

// ActAs returns the user that a request acts for: the identity's own when the request names none.
// Naming somebody else is PermissionDenied, except for a service, and for a trusted caller who
// has not said who he is.
func (id Identity) ActAs(named UserID) (UserID, error) {
	switch {
	case named == "" && id.User == "":
		return "", Errorf(KindInvalid, "INVALID_ARGUMENT", "user_id is empty and nothing else says who is calling")
	case named == "":
		return id.User, nil
	case named == id.User:
	case slices.Contains(id.Roles, RoleService):
	case id.Trusted && id.User == "":
	default:
		return "", Errorf(KindPermissionDenied, "FOREIGN_USER", "user_id %s is not the caller's own", quote(string(named)))
	}
	return named, checkID("user_id", string(named))
}

type identityKey struct{}

// WithIdentity returns a context that carries who is calling.
func WithIdentity(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// IdentityFrom returns who is calling. Without anything in ctx that is nobody, who may do nothing.
func IdentityFrom(ctx context.Context) Identity {
	id, _ := LookupIdentity(ctx) // the zero Identity is right when there is none
	return id
}

// LookupIdentity is IdentityFrom for who has to tell whether there is anything in ctx.
func LookupIdentity(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}
