package auth

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// scripted is an authenticator that somebody linked.
type scripted struct {
	name   string
	answer func(context.Context, plugin.Credentials) (plugin.Identity, error)
}

func (s scripted) Name() string { return s.name }

func (s scripted) Authenticate(ctx context.Context, c plugin.Credentials) (plugin.Identity, error) {
	return s.answer(ctx, c)
}

// always answers the same.
func always(id plugin.Identity, err error) scripted {
	return scripted{"scripted", func(context.Context, plugin.Credentials) (plugin.Identity, error) { return id, err }}
}

func TestStandard(t *testing.T) {
	t.Parallel()
	var names []string
	for i, p := range Standard() {
		names = append(names, p.Name())
		plugintest.Plugin(t, func() plugin.Plugin { return Standard()[i] })
	}
	if !slices.Equal(names, []string{"dev", "trusted", "jwt"}) {
		t.Errorf("got %q", names)
	}
}

// TestTheTokensOfThePluginJWT: it verifies by the keys that it was given, and names the one that it cannot use.
func TestTheTokensOfThePluginJWT(t *testing.T) {
	t.Parallel()
	p := NewTokens()
	keys := p.Config().(*tokenKeys)
	keys.Issuer, keys.Audience = "login", "chat"
	keys.Keys = []verifyKey{{ID: "h", Algorithm: conf.HS256, Secret: secret}}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := signer{jwt.SigningMethodHS256, "h", []byte(secret)}
	id, err := p.Authenticate(t.Context(), plugin.Credentials{Token: s.sign(t, alice(nil))})
	if err != nil || id.UserID != "alice" {
		t.Errorf("got %+v, %v", id, err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	keys.Keys = []verifyKey{{Algorithm: conf.RS256, PublicKeyFile: "absent"}}
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "auth.jwt.keys[0]") {
		t.Errorf("got %v", err)
	}
}

func TestDevAndTrustedBelieve(t *testing.T) {
	t.Parallel()
	for _, a := range []plugin.Authenticator{Dev{}, Trusted{}} {
		v := NewVerifier(a, quiet)
		for _, c := range []struct {
			claimed plugin.Credentials
			want    biz.Identity
		}{
			{plugin.Credentials{}, biz.Identity{Trusted: true}},
			{plugin.Credentials{Token: "ignored", UserID: "alice", GID: "-7", DeviceID: "phone"}, biz.Identity{User: "alice", GID: -7, Device: "phone", Trusted: true}},
		} {
			if got, err := v.Authenticate(t.Context(), c.claimed); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%T %+v: %+v, %v", a, c.claimed, got, err)
			}
		}
		for _, bad := range []plugin.Credentials{{GID: "x"}, {GID: "9223372036854775808"}, {UserID: "a\x00"}, {UserID: "\xff"}, {DeviceID: strings.Repeat("d", 256)}} {
			if got, err := v.Authenticate(t.Context(), bad); err == nil {
				t.Errorf("%T lets %q in as %+v", a, bad, got)
			}
		}
	}
}

func TestVerifierTranslatesRefusals(t *testing.T) {
	t.Parallel()
	cause := errors.New("10.0.0.1: connection refused")
	for _, c := range []struct {
		err    error
		kind   biz.Kind
		reason string
		text   string
		logged bool
	}{
		{plugin.Unauthenticated("no %s", "token"), biz.KindUnauthenticated, "UNAUTHENTICATED", "no token", false},
		{plugin.PermissionDenied("not you"), biz.KindPermissionDenied, "PERMISSION_DENIED", "not you", false},
		{plugin.Unavailable("later", cause), biz.KindUnavailable, "AUTH_UNAVAILABLE", "later", false},
		{cause, biz.KindUnavailable, "AUTH_UNAVAILABLE", "who is calling cannot be checked now", true},
	} {
		var log bytes.Buffer
		v := NewVerifier(always(plugin.Identity{}, c.err), slog.New(slog.NewTextHandler(&log, nil)))
		_, err := v.Authenticate(t.Context(), plugin.Credentials{})
		if e := biz.AsError(err); e.Kind != c.kind || e.Reason != c.reason || e.Text != c.text || (log.Len() > 0) != c.logged {
			t.Errorf("%v became %+v, log %q", c.err, e, log.String())
		}
	}
}

func TestVerifierHasPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deaf := scripted{"deaf", func(ctx context.Context, _ plugin.Credentials) (plugin.Identity, error) {
			<-ctx.Done()
			return plugin.Identity{}, ctx.Err()
		}}
		start := time.Now()
		_, err := NewVerifier(deaf, quiet).Authenticate(t.Context(), plugin.Credentials{})
		if biz.KindOf(err) != biz.KindUnavailable || time.Since(start) != patience {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := NewVerifier(deaf, quiet).Authenticate(ctx, plugin.Credentials{}); biz.KindOf(err) != biz.KindCanceled {
			t.Errorf("got %v", err)
		}
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	j, s := hmacJWT(t)
	v := NewVerifier(j, quiet)
	later := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	token := func(change jwt.MapClaims) string {
		change["exp"] = later.Unix()
		return s.sign(t, alice(change))
	}
	held := biz.Identity{User: "alice", GID: 7, Device: "phone", Roles: []string{"old"}, Expiry: time.Now()}
	got, err := v.Refresh(t.Context(), held, token(jwt.MapClaims{"gid": 7, "roles": "new"}))
	want := biz.Identity{User: "alice", GID: 7, Device: "phone", Roles: []string{"new"}, Expiry: later}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"another user": token(jwt.MapClaims{"sub": "bob", "gid": 7}), "another gid": token(jwt.MapClaims{"gid": 8}), "no gid": token(jwt.MapClaims{}),
	} {
		if _, err := v.Refresh(t.Context(), held, bad); biz.KindOf(err) != biz.KindPermissionDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.Refresh(t.Context(), held, s.sign(t, alice(jwt.MapClaims{"exp": 1}))); biz.KindOf(err) != biz.KindUnauthenticated {
		t.Errorf("an expired token: %v", err)
	}
	if _, err := v.Refresh(t.Context(), biz.Identity{User: "alice"}, token(jwt.MapClaims{"gid": 8})); biz.KindOf(err) != biz.KindPermissionDenied {
		t.Errorf("a gid that was none before: %v", err)
	}
	service := token(jwt.MapClaims{"sub": "billing", "roles": "service"})
	if got, err := v.Refresh(t.Context(), held, service); err != nil || got.User != "alice" || got.GID != 7 {
		t.Errorf("a service for alice: %+v, %v", got, err)
	}
	careless := NewVerifier(always(plugin.Identity{UserID: "bob", GID: 7}, nil), quiet)
	if _, err := careless.Refresh(t.Context(), held, "x"); biz.AsError(err).Reason != "IDENTITY_CHANGED" {
		t.Errorf("an authenticator that does not compare: %v", err)
	}
}

func TestServiceGuard(t *testing.T) {
	t.Parallel()
	const shared = "0123456789abcdef"
	j, s := hmacJWT(t)
	service := "Bearer " + s.sign(t, alice(jwt.MapClaims{"roles": []string{"service"}}))
	person := "Bearer " + s.sign(t, alice(nil))
	for _, c := range []struct {
		mode, header string
		want         biz.Kind
		ok           bool
	}{
		{"dev", "", 0, true},
		{"dev", "Bearer wrong", 0, true},
		{"trusted", "Bearer " + shared, 0, true},
		{"trusted", "bearer   " + shared + " ", 0, true},
		{"trusted", "", biz.KindUnauthenticated, false},
		{"trusted", shared, biz.KindUnauthenticated, false},
		{"trusted", "Basic " + shared, biz.KindUnauthenticated, false},
		{"trusted", "Bearer ", biz.KindUnauthenticated, false},
		{"trusted", "Bearer " + shared + "0", biz.KindUnauthenticated, false},
		{"trusted", service, biz.KindUnauthenticated, false},
		{"jwt", "Bearer " + shared, 0, true},
		{"jwt", service, 0, true},
		{"jwt", person, biz.KindPermissionDenied, false},
		{"jwt", "Bearer x", biz.KindUnauthenticated, false},
	} {
		chosen := map[string]plugin.Authenticator{"dev": Dev{}, "trusted": Trusted{}, "jwt": j}[c.mode]
		g := NewServiceGuard(&conf.Auth{Mode: c.mode, ServiceToken: shared}, NewVerifier(chosen, quiet))
		id, err := g.Check(t.Context(), Proof{Authorization: c.header})
		if named := id.Subject != ""; named != (c.ok && c.header == service) {
			t.Errorf("%s %.30q is called %q", c.mode, c.header, id.Subject)
		}
		if (err == nil) != c.ok || err != nil && biz.KindOf(err) != c.want {
			t.Errorf("%s %.30q: %v", c.mode, c.header, err)
		}
		if err != nil && strings.Contains(err.Error(), shared) {
			t.Errorf("%v shows the token", err)
		}
	}
	unset := NewServiceGuard(&conf.Auth{Mode: "trusted"}, NewVerifier(Trusted{}, quiet))
	for _, header := range []string{"Bearer", "Bearer ", "Bearer  x"} {
		if _, err := unset.Check(t.Context(), Proof{Authorization: header}); err == nil {
			t.Errorf("%q opens a guard without token", header)
		}
	}
}

// TestServiceGuardAndCertificates: a certificate stands in for a token that is not configured, and
// for nothing else.
func TestServiceGuardAndCertificates(t *testing.T) {
	t.Parallel()
	const shared = "0123456789abcdef"
	for name, c := range map[string]struct {
		token string
		shown Proof
		ok    bool
	}{
		"a certificate alone":             {"", Proof{Certified: true}, true},
		"neither":                         {"", Proof{}, false},
		"a certificate and a wrong token": {"", Proof{Certified: true, Authorization: "Bearer x"}, false},
		"a certificate without the token": {shared, Proof{Certified: true}, false},
		"both":                            {shared, Proof{Certified: true, Authorization: "Bearer " + shared}, true},
	} {
		g := NewServiceGuard(&conf.Auth{Mode: "trusted", ServiceToken: c.token}, NewVerifier(Trusted{}, quiet))
		if _, err := g.Check(t.Context(), c.shown); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
