package conf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// The algorithms that a key can be for.
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// minRSABits is what RFC 7518 demands for RS256.
const minRSABits = 2048

// Verifier returns what golang-jwt verifies a signature of this key's algorithm with: the bytes of
// the secret for HS256, a *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey otherwise. It
// reads public_key_file anew each time.
func (k *Auth_Key) Verifier() (any, error) {
	if k.GetAlgorithm() == HS256 {
		return []byte(k.GetSecret()), nil
	}
	text, err := os.ReadFile(k.GetPublicKeyFile())
	if err != nil {
		return nil, readError(err)
	}
	key, err := parsePublicKey(text)
	if err != nil {
		return nil, err
	}
	return key, CheckPublicKey(k.GetAlgorithm(), key)
}

// CheckPublicKey tells whether a key is of the kind and strength that an algorithm needs.
func CheckPublicKey(algorithm string, key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if algorithm == RS256 && k.N.BitLen() < minRSABits {
			return fmt.Errorf("the RSA key has %d bits; at least %d are needed", k.N.BitLen(), minRSABits)
		}
		return kindOfKey(algorithm, RS256, "an RSA key")
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return fmt.Errorf("an EC key must be on the curve P-256, not %s", k.Curve.Params().Name)
		}
		return kindOfKey(algorithm, ES256, "an EC key")
	case ed25519.PublicKey:
		return kindOfKey(algorithm, EdDSA, "an Ed25519 key")
	}
	return fmt.Errorf("a key of type %T verifies none of RS256, ES256 and EdDSA", key)
}

func kindOfKey(algorithm, fits, what string) error {
	if algorithm != fits {
		return fmt.Errorf("%s is for %s, not for %s", what, fits, algorithm)
	}
	return nil
}

func parsePublicKey(text []byte) (crypto.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("is not PEM: a block -----BEGIN PUBLIC KEY----- is expected")
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return cert.PublicKey, nil
	}
	return nil, fmt.Errorf("has a PEM block %q; a PUBLIC KEY or a CERTIFICATE is expected", block.Type)
}
