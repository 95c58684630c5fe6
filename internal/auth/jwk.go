package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/lestrrat-go/jwx/v3/jwk"

	"github.com/game-im/hermod/internal/conf"
)

// parseKeySet reads a JSON Web Key Set. Keys that are no use here are left out, as RFC 7517 wants
// it: for encryption, of other algorithms, too short, or secrets, which are not published.
func parseKeySet(text []byte) ([]key, error) {
	set, err := jwk.Parse(text, jwk.WithIgnoreParseError(true))
	if err != nil {
		return nil, fmt.Errorf("the answer is not a JSON Web Key Set: %w", err)
	}
	keys := make([]key, 0, set.Len())
	for i := range set.Len() {
		published, ok := set.Key(i)
		if !ok {
			continue
		}
		if k, err := verificationKey(published); err == nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func verificationKey(published jwk.Key) (key, error) {
	if use, ok := published.KeyUsage(); ok && use != "" && use != "sig" {
		return key{}, errors.New("not for signatures")
	}
	var raw any
	if err := jwk.Export(published, &raw); err != nil {
		return key{}, err
	}
	if private, ok := raw.(crypto.Signer); ok {
		raw = private.Public()
	}
	alg, err := algorithmOf(raw)
	if err != nil {
		return key{}, err
	}
	if stated, ok := published.Algorithm(); ok && stated.String() != alg && !isEd25519(stated.String(), alg) {
		return key{}, fmt.Errorf("for %s", stated)
	}
	kid, _ := published.KeyID() // absent: of tokens with any kid
	return key{id: kid, alg: alg, verifier: raw}, conf.CheckPublicKey(alg, raw)
}

// algorithmOf pins a key to the one algorithm that is accepted of its type, whatever a token says.
func algorithmOf(raw any) (string, error) {
	switch raw.(type) {
	case *rsa.PublicKey:
		return conf.RS256, nil
	case *ecdsa.PublicKey:
		return conf.ES256, nil
	case ed25519.PublicKey:
		return conf.EdDSA, nil
	}
	return "", fmt.Errorf("a key of type %T is of no use", raw)
}

// isEd25519 lets RFC 9864's newer name of EdDSA pass.
func isEd25519(stated, alg string) bool { return stated == "Ed25519" && alg == conf.EdDSA }
