package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a request.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	scheme = "v1,"
	// secretPrefix is how a secret begins whose bytes are written in base64.
	secretPrefix = "whsec_"
	// MinSecret is how many bytes a secret has at least.
	MinSecret = 16
)

// CheckSecret tells what is wrong with a secret, without showing it: one that begins with whsec_ goes on in base64, and
// any other is taken byte for byte. It has MinSecret bytes at least.
func CheckSecret(secret string) error {
	key, err := keyOf(secret)
	if err != nil {
		return err
	}
	if len(key) < MinSecret {
		return fmt.Errorf("has %d bytes; at least %d are needed", len(key), MinSecret)
	}
	return nil
}

func keyOf(secret string) ([]byte, error) {
	text, encoded := strings.CutPrefix(secret, secretPrefix)
	if !encoded {
		return []byte(secret), nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("begins with %s and does not go on in base64", secretPrefix)
	}
	return key, nil
}

// Sign signs a body under an id at a time with every secret, by setting the three headers. A node does it; a test of a
// receiver may.
func Sign(header http.Header, id string, at time.Time, body []byte, secrets ...string) error {
	if id == "" || strings.ContainsRune(id, '.') || len(secrets) == 0 {
		return fmt.Errorf("webhook: an id without dots and a secret are needed to sign")
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i, secret := range secrets {
		key, err := keyOf(secret)
		if err != nil {
			return fmt.Errorf("webhook: a secret %w", err)
		}
		signatures[i] = scheme + base64.StdEncoding.EncodeToString(sum(key, id, stamp, body))
	}
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, stamp)
	header.Set(HeaderSignature, strings.Join(signatures, " "))
	return nil
}

func sum(key []byte, id, stamp string, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + stamp + "."))
	h.Write(body)
	return h.Sum(nil)
}
