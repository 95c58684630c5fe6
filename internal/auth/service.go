package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// ServiceGuard lets business services in: in mode dev everybody, otherwise whoever shows the
// shared service token, or a token of the node's authenticator that has the role service. Where no
// shared token is configured, a certificate does as well.
type ServiceGuard struct {
	open   bool
	asks   bool // for a token, of those too who have a certificate
	shared [sha256.Size]byte
	tokens *Verifier
}

// Proof is what a business service shows.
type Proof struct {
	Authorization string // the header or metadata of that name
	Certified     bool   // a client certificate, which the listener has verified
}

// NewServiceGuard makes a guard for the configuration and authenticator of a node.
func NewServiceGuard(c *conf.Auth, tokens *Verifier) *ServiceGuard {
	return &ServiceGuard{
		open:   c.GetMode() == conf.ModeDev,
		asks:   c.GetServiceToken() != "",
		shared: sha256.Sum256([]byte(c.GetServiceToken())),
		tokens: tokens,
	}
}

// Check returns who is calling when the caller may push: somebody without a name, unless he has a
// token of his own. A token that is shown must be right, whatever else is shown. Errors:
// KindUnauthenticated, KindPermissionDenied for a token without the role, and KindUnavailable.
func (g *ServiceGuard) Check(ctx context.Context, p Proof) (biz.Identity, error) {
	if g.open || p.Certified && p.Authorization == "" && !g.asks {
		return biz.Identity{}, nil
	}
	token, ok := Bearer(p.Authorization)
	if !ok {
		return biz.Identity{}, biz.Errorf(biz.KindUnauthenticated, "UNAUTHENTICATED", "a service token is required: authorization: Bearer TOKEN")
	}
	// Digests have one length, so that the comparison does not tell the token's. Bearer never gives an
	// empty token, so that one that is not configured fits nothing.
	digest := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(digest[:], g.shared[:]) == 1 {
		return biz.Identity{}, nil
	}
	return g.checkRole(ctx, token)
}

func (g *ServiceGuard) checkRole(ctx context.Context, token string) (biz.Identity, error) {
	id, err := g.tokens.Authenticate(ctx, plugin.Credentials{Token: token})
	switch {
	case err != nil:
		return biz.Identity{}, err
	case id.Trusted: // the token was not looked at
		return biz.Identity{}, biz.Errorf(biz.KindUnauthenticated, "UNAUTHENTICATED", "the service token is not the one that is configured here")
	case !slices.Contains(id.Roles, biz.RoleService):
		return biz.Identity{}, biz.Errorf(biz.KindPermissionDenied, "PERMISSION_DENIED", "the token lacks the role %q", biz.RoleService)
	}
	return id, nil
}

// Bearer takes the token out of an authorization header. It is false for another scheme and for
// none.
func Bearer(authorization string) (string, bool) {
	scheme, token, found := strings.Cut(strings.TrimSpace(authorization), " ")
	token = strings.TrimSpace(token)
	if !found || token == "" || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return token, true
}
