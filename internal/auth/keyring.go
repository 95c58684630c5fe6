package auth

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/golang-jwt/jwt/v5"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// key verifies the signatures of one algorithm.
type key struct {
	id       string // empty: of tokens with any kid
	alg      string
	verifier jwt.VerificationKey
}

func (k key) fits(kid, alg string) bool {
	return k.alg == alg && (kid == "" || k.id == "" || k.id == kid)
}

// keyring is the configured keys and the remote ones.
type keyring struct {
	local  []key
	remote *keySet // nil: none
}

func newKeyring(c *conf.Auth_JWT, log *slog.Logger) (keyring, error) {
	var r keyring
	for i, k := range c.GetKeys() {
		v, err := k.Verifier()
		if err != nil {
			return r, fmt.Errorf("auth.jwt.keys[%d]: %w", i, err)
		}
		r.local = append(r.local, key{id: k.GetId(), alg: k.GetAlgorithm(), verifier: v})
	}
	if c.GetJwksUrl() != "" {
		r.remote = newKeySet(c.GetJwksUrl(), c.GetJwksRefresh().AsDuration(), log)
	}
	return r, nil
}

// find returns the keys that a token may be signed with. A local key with exactly the token's kid
// settles it; otherwise the remote ones are asked as well.
func (r keyring) find(ctx context.Context, kid, alg string) (jwt.VerificationKeySet, error) {
	var set jwt.VerificationKeySet
	for _, k := range r.local {
		if k.fits(kid, alg) {
			set.Keys = append(set.Keys, k.verifier)
			if kid != "" && k.id == kid {
				return set, nil
			}
		}
	}
	if r.remote != nil {
		keys, err := r.remote.find(ctx, kid, alg)
		if err != nil && len(set.Keys) == 0 {
			return set, err
		}
		set.Keys = append(set.Keys, keys...)
	}
	if len(set.Keys) == 0 {
		return set, plugin.Unauthenticated("no key is known here for the token's algorithm and key id")
	}
	return set, nil
}

func (r keyring) close() {
	if r.remote != nil {
		r.remote.close()
	}
}
