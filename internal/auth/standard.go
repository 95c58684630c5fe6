package auth

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Standard returns the authenticators that are shipped: dev, trusted and jwt.
func Standard() []plugin.Plugin { return []plugin.Plugin{Dev{}, Trusted{}, NewTokens()} }

// Tokens is the plugin jwt: a JWT by the keys that it is given.
type Tokens struct {
	keys tokenKeys
	jwt  *JWT // between Start and Stop
}

// tokenKeys are those of auth.jwt.
type tokenKeys struct {
	Issuer      string        `json:"issuer"`
	Audience    string        `json:"audience"`
	Keys        []verifyKey   `json:"keys"`
	JWKSURL     string        `json:"jwks_url"`
	JWKSRefresh time.Duration `json:"jwks_refresh"`
	Leeway      time.Duration `json:"leeway"`
	Claims      claimKeys     `json:"claims"`
}

type verifyKey struct {
	ID            string `json:"id"`
	Algorithm     string `json:"algorithm"`
	Secret        string `json:"secret"`
	PublicKeyFile string `json:"public_key_file"`
}

type claimKeys struct {
	User   string `json:"user"`
	GID    string `json:"gid"`
	Device string `json:"device"`
	Roles  string `json:"roles"`
}

// NewTokens returns the plugin, which has no key to verify with yet.
func NewTokens() *Tokens {
	return &Tokens{keys: tokenKeys{
		JWKSRefresh: 5 * time.Minute, Leeway: 5 * time.Second,
		Claims: claimKeys{User: "sub", GID: "gid", Device: "device", Roles: "roles"},
	}}
}

// Name is jwt.
func (*Tokens) Name() string { return conf.ModeJWT }

// Config implements plugin.Configurable.
func (t *Tokens) Config() any { return &t.keys }

// Start implements plugin.Starter: the files of keys are read. A remote set is fetched when the first token
// needs it.
func (t *Tokens) Start(ctx context.Context) (err error) {
	k := t.keys
	c := &conf.Auth_JWT{
		Issuer: k.Issuer, Audience: k.Audience, JwksUrl: k.JWKSURL,
		JwksRefresh: durationpb.New(k.JWKSRefresh), Leeway: durationpb.New(k.Leeway),
		Claims: &conf.Auth_Claims{User: k.Claims.User, Gid: k.Claims.GID, Device: k.Claims.Device, Roles: k.Claims.Roles},
	}
	for _, v := range k.Keys {
		c.Keys = append(c.Keys, &conf.Auth_Key{Id: v.ID, Algorithm: v.Algorithm, Secret: v.Secret, PublicKeyFile: v.PublicKeyFile})
	}
	t.jwt, err = NewJWT(c, plugin.Logger(ctx))
	return err
}

// Stop implements plugin.Stopper: nothing is fetched any more.
func (t *Tokens) Stop(context.Context) error {
	t.jwt.Close()
	return nil
}

// Authenticate implements plugin.Authenticator, as JWT does.
func (t *Tokens) Authenticate(ctx context.Context, c plugin.Credentials) (plugin.Identity, error) {
	return t.jwt.Authenticate(ctx, c)
}
