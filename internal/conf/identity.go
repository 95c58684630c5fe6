package conf

import (
	"net/url"
	"strings"
)

// The values of auth.mode that are built in. Any other names a linked authenticator.
const (
	ModeDev     = "dev"
	ModeTrusted = "trusted"
	ModeJWT     = "jwt"
)

const (
	minServiceToken = 16
	minSecret       = 32
)

// checkAuth is told whether services prove who they are with certificates.
func checkAuth(a *Auth, certified bool, ps *Problems) {
	if a.GetMode() == "" {
		ps.add("auth.mode", "is empty; dev, trusted, jwt, or the name of a linked authenticator")
	}
	checkServiceToken(a, certified, ps)
	checkJWT(a, ps)
}

func checkServiceToken(a *Auth, certified bool, ps *Problems) {
	const path = "auth.service_token"
	token := a.GetServiceToken()
	switch {
	case certified && token == "":
		return
	case a.GetMode() != ModeDev && len(token) < minServiceToken:
		ps.add(path, "has %d characters; auth.mode %s needs one of at least %d, which business services show to the gateway listener (HERMOD_SERVICE_TOKEN sets it), "+
			"or certificates of theirs, which server.gateway.tls.client_ca_file asks for",
			len(token), a.GetMode(), minServiceToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		ps.add(path, "has a space or a character outside ASCII, which cannot be sent in a header")
	}
}

func checkJWT(a *Auth, ps *Problems) {
	j := a.GetJwt()
	if a.GetMode() == ModeJWT && len(j.GetKeys()) == 0 && j.GetJwksUrl() == "" {
		ps.add("auth.jwt", "auth.mode jwt needs something to verify tokens with: set auth.jwt.keys or auth.jwt.jwks_url")
	}
	if u, err := url.Parse(j.GetJwksUrl()); j.GetJwksUrl() != "" &&
		(err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		ps.add("auth.jwt.jwks_url", "is not an http or https address")
	}
	if j.GetClaims().GetUser() == "" {
		ps.add("auth.jwt.claims.user", "is empty; name the claim that says who the holder is, usually sub")
	}
	seen := map[string]bool{}
	for i, k := range j.GetKeys() {
		at := indexed("auth.jwt.keys", i)
		if k.GetId() != "" && seen[k.GetId()] {
			ps.add(at+".id", "%q is the id of an earlier key already", k.GetId())
		}
		seen[k.GetId()] = true
		checkKey(k, at, ps)
	}
}

func checkKey(k *Auth_Key, at string, ps *Problems) {
	symmetric := k.GetAlgorithm() == HS256
	switch {
	case limits["hermod.conf.Auth.Key.algorithm"].checkWord(k.GetAlgorithm()) != "":
		return // reported with its path already
	case symmetric && k.GetPublicKeyFile() != "":
		ps.add(at+".public_key_file", "does not belong to HS256, which has a secret")
	case !symmetric && k.GetSecret() != "":
		ps.add(at+".secret", "does not belong to %s, which has a public_key_file", k.GetAlgorithm())
	}
	switch {
	case symmetric && len(k.GetSecret()) < minSecret:
		ps.add(at+".secret", "has %d bytes; HS256 needs at least %d", len(k.GetSecret()), minSecret)
	case !symmetric && k.GetPublicKeyFile() == "":
		ps.add(at+".public_key_file", "is empty; %s needs the file of a public key", k.GetAlgorithm())
	case !symmetric:
		if _, err := k.Verifier(); err != nil {
			ps.add(at+".public_key_file", "%s: %v", k.GetPublicKeyFile(), err)
		}
	}
}
