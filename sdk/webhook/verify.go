package webhook

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// What Verify and Check refuse with; errors.Is tells which.
var (
	// ErrUnsigned: a header is missing, or there is twice what there may be once, or it is not what it should be.
	ErrUnsigned = errors.New("webhook: the request is not signed")
	// ErrForged: no secret makes one of the signatures.
	ErrForged = errors.New("webhook: the signature is wrong")
	// ErrStale: it was signed too long ago, or later than now.
	ErrStale = errors.New("webhook: the request is not of now")
	// ErrTooLarge: the body has more than MaxBody bytes.
	ErrTooLarge = errors.New("webhook: the body is too large")
)

const (
	// Tolerance is how far the clocks of node and receiver may be apart, with the way between them, where a
	// receiver says nothing else.
	Tolerance = 5 * time.Minute
	// MaxBody bounds what Verify reads, in bytes. A node sends less: a MiB, and one message more at most.
	MaxBody = 64 << 20
)

// Verify reads the body of a request and returns it, if a node has signed it with one of the secrets and not longer ago,
// or ahead, than tolerance; 0 is Tolerance. What is captured and sent again later than that is refused with ErrStale.
// Within it, it is a delivery that came twice, which receivers have to stand in any case. Answer 401 to an error.
func Verify(r *http.Request, secrets []string, tolerance time.Duration) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("webhook: read the body: %w", err)
	case len(body) > MaxBody:
		return nil, ErrTooLarge
	}
	return body, Check(r.Header, body, secrets, tolerance, time.Now())
}

// Check is Verify for a body that was read already, at a time.
func Check(header http.Header, body []byte, secrets []string, tolerance time.Duration, now time.Time) error {
	if tolerance <= 0 {
		tolerance = Tolerance
	}
	id, stamp, signatures := single(header, HeaderID), single(header, HeaderTimestamp), single(header, HeaderSignature)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(seconds, 10) != stamp || id == "" || signatures == "" || len(signatures) > maxSignatures {
		return ErrUnsigned
	}
	// First of all whether it is a node's: what else is wrong is nobody else's business.
	signed, err := signedBy(secrets, id, stamp, body, strings.Fields(signatures))
	if err != nil {
		return err
	}
	if !signed {
		return ErrForged
	}
	if at := time.Unix(seconds, 0); at.Before(now.Add(-tolerance)) || at.After(now.Add(tolerance)) {
		return ErrStale
	}
	return nil
}

// maxSignatures bounds the header, in bytes, and with it what a stranger can have computed.
const maxSignatures = 4 << 10

func single(header http.Header, name string) string {
	if all := header.Values(name); len(all) == 1 {
		return all[0]
	}
	return ""
}

// signedBy compares all signatures with those of all secrets, each in constant time.
func signedBy(secrets []string, id, stamp string, body []byte, signatures []string) (bool, error) {
	found := false
	for _, secret := range secrets {
		if err := CheckSecret(secret); err != nil { // anybody could sign with an empty one
			return false, fmt.Errorf("webhook: a secret %w", err)
		}
		key, err := keyOf(secret)
		if err != nil {
			return false, err
		}
		want := sum(key, id, stamp, body)
		for _, signature := range signatures {
			text, known := strings.CutPrefix(signature, scheme)
			got, err := base64.StdEncoding.DecodeString(text)
			if known && err == nil && hmac.Equal(got, want) {
				found = true
			}
		}
	}
	return found, nil
}
