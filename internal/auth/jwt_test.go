package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

const secret = "a secret of more than thirty-two bytes"

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// signer is the private half of a key.
type signer struct {
	method jwt.SigningMethod
	kid    string
	key    any
}

func (s signer) sign(t testing.TB, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(s.method, claims)
	if s.kid != "" {
		token.Header["kid"] = s.kid
	}
	text, err := token.SignedString(s.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alice returns the claims of a good token, changed as given; nil removes one.
func alice(changes jwt.MapClaims) jwt.MapClaims {
	claims := jwt.MapClaims{"sub": "alice", "exp": time.Now().Add(time.Hour).Unix(), "iss": "login", "aud": "chat"}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

func configuration(keys ...*conf.Auth_Key) *conf.Auth_JWT {
	return &conf.Auth_JWT{
		Issuer: "login", Audience: "chat", Keys: keys,
		Leeway:      durationpb.New(5 * time.Second),
		JwksRefresh: durationpb.New(5 * time.Minute),
		Claims:      &conf.Auth_Claims{User: "sub", Gid: "gid", Device: "device", Roles: "roles"},
	}
}

func newTestJWT(t testing.TB, c *conf.Auth_JWT) *JWT {
	t.Helper()
	j, err := NewJWT(c, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

func hmacJWT(t testing.TB) (*JWT, signer) {
	t.Helper()
	j := newTestJWT(t, configuration(&conf.Auth_Key{Id: "h", Algorithm: conf.HS256, Secret: secret}))
	return j, signer{jwt.SigningMethodHS256, "h", []byte(secret)}
}

func publicPEM(t testing.TB, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func publicFile(t testing.TB, public any) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(name, publicPEM(t, public), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// asymmetric makes a signer of each kind, with the key that verifies it.
func asymmetric(t testing.TB) (signers []signer, keys []*conf.Auth_Key, rsaKey *rsa.PrivateKey) {
	t.Helper()
	rsaKey, err1 := rsa.GenerateKey(rand.Reader, 2048)
	ecKey, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	edPublic, edKey, err3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	signers = []signer{
		{jwt.SigningMethodRS256, "rsa", rsaKey},
		{jwt.SigningMethodES256, "ec", ecKey},
		{jwt.SigningMethodEdDSA, "ed", edKey},
	}
	keys = []*conf.Auth_Key{
		{Id: "rsa", Algorithm: conf.RS256, PublicKeyFile: publicFile(t, &rsaKey.PublicKey)},
		{Id: "ec", Algorithm: conf.ES256, PublicKeyFile: publicFile(t, &ecKey.PublicKey)},
		{Id: "ed", Algorithm: conf.EdDSA, PublicKeyFile: publicFile(t, edPublic)},
	}
	return signers, keys, rsaKey
}

// refused checks the kind and the text of a refusal, and that it quotes nothing of the token.
func refused(t *testing.T, err error, kind plugin.Kind, says, token string) {
	t.Helper()
	var e *plugin.Error
	switch {
	case !errors.As(err, &e):
		t.Fatalf("error is %v, not a refusal", err)
	case e.Kind != kind || !strings.Contains(e.Reason, says):
		t.Errorf("refused with %d %q, want %d %q", e.Kind, e.Reason, kind, says)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 3 && strings.Contains(err.Error(), part) {
			t.Errorf("%q quotes the token", err)
		}
	}
}

func TestJWTEveryAlgorithm(t *testing.T) {
	t.Parallel()
	signers, keys, _ := asymmetric(t)
	j := newTestJWT(t, configuration(append(keys, &conf.Auth_Key{Algorithm: conf.HS256, Secret: secret})...))
	signers = append(signers, signer{jwt.SigningMethodHS256, "", []byte(secret)}, signer{jwt.SigningMethodHS256, "any", []byte(secret)})
	for _, s := range signers {
		for _, kid := range []string{s.kid, ""} {
			s.kid = kid
			id, err := j.Authenticate(t.Context(), plugin.Credentials{Token: s.sign(t, alice(nil))})
			if err != nil || id.UserID != "alice" || id.Trusted || time.Until(id.Expiry) > time.Hour || time.Until(id.Expiry) < 50*time.Minute {
				t.Errorf("%s kid %q: %+v, %v", s.method.Alg(), kid, id, err)
			}
		}
	}
}

func TestJWTKeysArePinnedToTheirAlgorithm(t *testing.T) {
	t.Parallel()
	signers, keys, rsaKey := asymmetric(t)
	j := newTestJWT(t, configuration(keys...))
	good := signers[0].sign(t, alice(nil))
	_, payload, _ := strings.Cut(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"rsa"}`)) + "." + strings.Split(payload, ".")[0] + "."
	parts := strings.Split(good, ".")
	for name, token := range map[string]string{
		"RSA public key as HMAC secret":   signer{jwt.SigningMethodHS256, "rsa", publicPEM(t, &rsaKey.PublicKey)}.sign(t, alice(nil)),
		"the same without kid":            signer{jwt.SigningMethodHS256, "", publicPEM(t, &rsaKey.PublicKey)}.sign(t, alice(nil)),
		"RS512 with the RS256 key":        signer{jwt.SigningMethodRS512, "rsa", rsaKey}.sign(t, alice(nil)),
		"PS256 with the RS256 key":        signer{jwt.SigningMethodPS256, "rsa", rsaKey}.sign(t, alice(nil)),
		"kid of another key":              signer{jwt.SigningMethodRS256, "ec", rsaKey}.sign(t, alice(nil)),
		"unknown kid":                     signer{jwt.SigningMethodRS256, "nobody", rsaKey}.sign(t, alice(nil)),
		"none":                            none,
		"none by the library":             signer{jwt.SigningMethodNone, "rsa", jwt.UnsafeAllowNoneSignatureType}.sign(t, alice(nil)),
		"signature cut off":               parts[0] + "." + parts[1] + ".",
		"signature of another":            parts[0] + "." + parts[1] + "." + strings.Split(signers[1].sign(t, alice(nil)), ".")[2],
		"payload of another":              parts[0] + "." + strings.Split(signers[0].sign(t, alice(jwt.MapClaims{"sub": "mallory"})), ".")[1] + "." + parts[2],
		"signed with somebody else's key": func() string { other, _, _ := asymmetric(t); return other[0].sign(t, alice(nil)) }(),
	} {
		_, err := j.Authenticate(t.Context(), plugin.Credentials{Token: token})
		if err == nil {
			t.Errorf("%s: let in", name)
			continue
		}
		refused(t, err, plugin.KindUnauthenticated, "", token)
	}
}

func TestKeyringGivesOnlyKeysOfTheAlgorithm(t *testing.T) {
	t.Parallel()
	_, keys, _ := asymmetric(t)
	ring, err := newKeyring(configuration(keys...), quiet)
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{"", "rsa"} {
		if set, err := ring.find(t.Context(), kid, conf.RS256); err != nil || len(set.Keys) != 1 {
			t.Errorf("kid %q: %d keys, %v", kid, len(set.Keys), err)
		}
		if set, err := ring.find(t.Context(), kid, conf.HS256); err == nil {
			t.Errorf("kid %q: %d keys for HS256", kid, len(set.Keys))
		}
	}
}

func TestJWTClaims(t *testing.T) {
	t.Parallel()
	j, s := hmacJWT(t)
	at := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
	for name, c := range map[string]struct {
		change jwt.MapClaims
		says   string // empty: let in
	}{
		"good":                     {nil, ""},
		"expired":                  {jwt.MapClaims{"exp": at(-time.Minute)}, "the token has expired"},
		"expired within leeway":    {jwt.MapClaims{"exp": at(-2 * time.Second)}, ""},
		"without exp":              {jwt.MapClaims{"exp": nil}, "lacks a claim that is required here: exp, iss, aud"},
		"exp that is no time":      {jwt.MapClaims{"exp": "tomorrow"}, "cannot be verified"},
		"not yet valid":            {jwt.MapClaims{"nbf": at(time.Minute)}, "not valid yet"},
		"valid by now":             {jwt.MapClaims{"nbf": at(-time.Minute)}, ""},
		"another audience":         {jwt.MapClaims{"aud": "shop"}, `its aud must have "chat"`},
		"one of several audiences": {jwt.MapClaims{"aud": []string{"shop", "chat"}}, ""},
		"without audience":         {jwt.MapClaims{"aud": nil}, "required here"},
		"another issuer":           {jwt.MapClaims{"iss": "evil"}, `its iss must be "login"`},
		"without issuer":           {jwt.MapClaims{"iss": nil}, "required here"},
		"without user":             {jwt.MapClaims{"sub": nil}, `lacks the claim "sub"`},
		"empty user":               {jwt.MapClaims{"sub": ""}, `lacks the claim "sub"`},
		"user of a wrong type":     {jwt.MapClaims{"sub": []string{"alice"}}, `claim "sub" must be a text`},
		"gid that is no number":    {jwt.MapClaims{"gid": "seven"}, `claim "gid" must be a whole number`},
		"fraction of a gid":        {jwt.MapClaims{"gid": 1.5}, `claim "gid"`},
		"roles of a wrong type":    {jwt.MapClaims{"roles": []any{"a", 1}}, `claim "roles" must be a list`},
	} {
		token := s.sign(t, alice(c.change))
		_, err := j.Authenticate(t.Context(), plugin.Credentials{Token: token})
		if c.says == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused(t, err, plugin.KindUnauthenticated, c.says, token)
	}
}

func TestJWTMapsClaims(t *testing.T) {
	t.Parallel()
	c := configuration(&conf.Auth_Key{Algorithm: conf.HS256, Secret: secret})
	c.Claims = &conf.Auth_Claims{User: "uid", Gid: "team", Device: "dev", Roles: "scope"}
	j := newTestJWT(t, c)
	token := signer{jwt.SigningMethodHS256, "", []byte(secret)}.sign(t, alice(jwt.MapClaims{
		"uid": 9007199254740993, "team": "9007199254740993", "dev": "phone", "scope": "read write",
	}))
	id, err := j.Authenticate(t.Context(), plugin.Credentials{Token: token, UserID: "9007199254740993", GID: "9007199254740993", DeviceID: "phone"})
	if err != nil {
		t.Fatal(err)
	}
	id.Expiry = time.Time{}
	want := plugin.Identity{UserID: "9007199254740993", GID: 9007199254740993, DeviceID: "phone", Roles: []string{"read", "write"}}
	if !reflect.DeepEqual(id, want) {
		t.Errorf("got %+v, want %+v", id, want)
	}
	c.Claims = &conf.Auth_Claims{User: "uid"}
	id, err = newTestJWT(t, c).Authenticate(t.Context(), plugin.Credentials{Token: token})
	if err != nil || id.GID != 0 || id.DeviceID != "" || id.Roles != nil {
		t.Errorf("claims without a name are read: %+v, %v", id, err)
	}
}

func TestJWTClaimedIdentity(t *testing.T) {
	t.Parallel()
	j, s := hmacJWT(t)
	user := s.sign(t, alice(jwt.MapClaims{"gid": 7, "device": "phone"}))
	free := s.sign(t, alice(nil))
	service := s.sign(t, alice(jwt.MapClaims{"sub": "billing", "roles": []string{"service", "ops"}}))
	for name, c := range map[string]struct {
		claimed plugin.Credentials
		denied  string // empty: let in as want
		want    plugin.Identity
	}{
		"nothing claimed":    {plugin.Credentials{Token: user}, "", plugin.Identity{UserID: "alice", GID: 7, DeviceID: "phone"}},
		"the same claimed":   {plugin.Credentials{Token: user, UserID: "alice", GID: "7", DeviceID: "phone"}, "", plugin.Identity{UserID: "alice", GID: 7, DeviceID: "phone"}},
		"another user":       {plugin.Credentials{Token: user, UserID: "bob"}, "user-id", plugin.Identity{}},
		"another gid":        {plugin.Credentials{Token: user, GID: "8"}, "gid", plugin.Identity{}},
		"another device":     {plugin.Credentials{Token: user, DeviceID: "tablet"}, "device-id", plugin.Identity{}},
		"a device of one's":  {plugin.Credentials{Token: free, DeviceID: "tablet"}, "", plugin.Identity{UserID: "alice", DeviceID: "tablet"}},
		"a gid of one's":     {plugin.Credentials{Token: free, GID: "7"}, "gid", plugin.Identity{}},
		"service for bob":    {plugin.Credentials{Token: service, UserID: "bob", GID: "3", DeviceID: "x"}, "", plugin.Identity{UserID: "bob", GID: 3, DeviceID: "x", Roles: []string{"service", "ops"}, Subject: "billing"}},
		"service for nobody": {plugin.Credentials{Token: service}, "", plugin.Identity{Roles: []string{"service", "ops"}, Subject: "billing"}},
	} {
		id, err := j.Authenticate(t.Context(), c.claimed)
		if c.denied != "" {
			refused(t, err, plugin.KindPermissionDenied, c.denied+" is not the token's", c.claimed.Token)
			continue
		}
		id.Expiry = time.Time{}
		if err != nil || !reflect.DeepEqual(id, c.want) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	_, err := j.Authenticate(t.Context(), plugin.Credentials{Token: user, GID: "many"})
	refused(t, err, plugin.KindUnauthenticated, "gid must be a decimal number", user)
}

func TestJWTNoTokenAndHugeToken(t *testing.T) {
	t.Parallel()
	j, _ := hmacJWT(t)
	for token, says := range map[string]string{
		"":                                   "a token is required",
		strings.Repeat("x", maxTokenBytes+1): "at most 16384 are read",
		"x":                                  "not a JSON Web Token",
		"a.b.c":                              "not a JSON Web Token",
		"....":                               "not a JSON Web Token",
	} {
		_, err := j.Authenticate(t.Context(), plugin.Credentials{Token: token, UserID: "alice"})
		refused(t, err, plugin.KindUnauthenticated, says, "")
	}
}

func FuzzJWT(f *testing.F) {
	j, s := hmacJWT(f)
	f.Add(s.sign(f, alice(nil)), "alice", "7")
	f.Add(s.sign(f, alice(jwt.MapClaims{"roles": "service"})), "bob", "x")
	f.Add("eyJhbGciOiJub25lIn0.e30.", "", "")
	f.Add("e30.bnVsbA.AA", "", "")
	f.Fuzz(func(t *testing.T, token, user, gid string) {
		id, err := j.Authenticate(context.Background(), plugin.Credentials{Token: token, UserID: user, GID: gid})
		if err == nil {
			if !strings.HasPrefix(token, "eyJ") || id.Expiry.IsZero() || id.Trusted {
				t.Fatalf("let in as %+v", id)
			}
			return
		}
		var e *plugin.Error
		if !errors.As(err, &e) || e.Reason == "" {
			t.Fatalf("error is %v, not a refusal", err)
		}
	})
}
