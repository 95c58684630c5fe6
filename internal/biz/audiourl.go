package biz

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/url"
	"strconv"
	"time"
)

// AudioURLRules say how addresses of recordings are signed.
type AudioURLRules struct {
	Keys        [][]byte      // the first signs, all verify; at least one
	Lifetime    time.Duration // of an address, at most
	SignUploads bool          // who uploads a recording is told a signed address
}

// The parameters of a signed address.
const (
	urlExpires   = "expires"
	urlSignature = "sig"
)

// AudioGrant lets whoever shows it fetch one recording until it expires. It says nothing of rooms or users.
type AudioGrant struct {
	Query   string // of the recording's address
	Expires time.Time
}

// Grant signs a grant for a recording, to whom Audio describes it. It is good for valid, or for as long as the node
// allows when that is 0.
func (a *Audios) Grant(ctx context.Context, by Identity, named UserID, id AudioID, valid time.Duration) (AudioGrant, error) {
	rules := a.rules.Load().URLs
	switch {
	case valid < 0 || valid > rules.Lifetime:
		return AudioGrant{}, Errorf(KindInvalid, "AUDIO_URL_LIFETIME", "valid_seconds is out of range; 0 (the longest) to %d are allowed",
			int64(rules.Lifetime.Seconds()))
	case valid == 0:
		valid = rules.Lifetime
	}
	if _, err := a.Audio(ctx, by, named, id); err != nil {
		return AudioGrant{}, err
	}
	return rules.grant(id, time.Now().Add(valid))
}

// GrantUpload is Grant for who has just uploaded a recording, where the node's rules give him one.
func (a *Audios) GrantUpload(id AudioID) (AudioGrant, error) {
	rules := a.rules.Load().URLs
	if !rules.SignUploads {
		return AudioGrant{}, nil
	}
	return rules.grant(id, time.Now().Add(rules.Lifetime))
}

func (r *AudioURLRules) grant(id AudioID, expires time.Time) (AudioGrant, error) {
	if len(r.Keys) == 0 {
		return AudioGrant{}, errors.New("biz: there is no key to sign with")
	}
	seconds := expires.Unix()
	query := url.Values{
		urlExpires:   {strconv.FormatInt(seconds, 10)},
		urlSignature: {signAudio(r.Keys[0], id, strconv.FormatInt(seconds, 10))},
	}
	return AudioGrant{Query: query.Encode(), Expires: time.Unix(seconds, 0)}, nil
}

// signAudio covers nothing but recording and time. What is signed begins with its purpose, so that a key that is
// used for something else as well signs nothing of that.
// The time is signed as it is written, and the signature compared so: another spelling is another address.
func signAudio(key []byte, id AudioID, expires string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, "hermod audio url 1\n"+string(id)+"\n"+expires) // never fails, by the contract of hash.Hash
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Granted tells whether the query of an address has a grant at all.
func Granted(query url.Values) bool { return query.Has(urlSignature) }

// GrantedUntil is when the grant of an address ends, as it says itself, if it has one.
func GrantedUntil(query url.Values) (expires time.Time, granted bool) {
	seconds, err := strconv.ParseInt(query.Get(urlExpires), 10, 64)
	return time.Unix(seconds, 0), err == nil && Granted(query)
}

// OpenGranted is Open for whoever shows a grant for it. What is refused is KindPermissionDenied.
func (a *Audios) OpenGranted(ctx context.Context, id AudioID, query url.Values) (Audio, io.ReadSeekCloser, error) {
	if err := checkID("audio_id", string(id)); err != nil {
		return Audio{}, nil, err
	}
	if err := a.rules.Load().URLs.verify(id, query); err != nil {
		return Audio{}, nil, err
	}
	audio, err := a.audios.Audio(ctx, id)
	if err != nil {
		return Audio{}, nil, err
	}
	return a.open(ctx, audio)
}

// verify says that a grant has expired only of one that was signed here: nobody learns more by guessing.
func (r *AudioURLRules) verify(id AudioID, query url.Values) error {
	expires, err := strconv.ParseInt(query.Get(urlExpires), 10, 64)
	shown := []byte(query.Get(urlSignature))
	good := false
	for _, key := range r.Keys {
		good = hmac.Equal([]byte(signAudio(key, id, query.Get(urlExpires))), shown) || good
	}
	switch {
	case !good || err != nil:
		return Errorf(KindPermissionDenied, "AUDIO_URL_INVALID",
			"this address was not signed by this service, or was changed; ask GetAudioURL (im.audio_url) for another")
	case time.Now().Unix() >= expires:
		return Errorf(KindPermissionDenied, "AUDIO_URL_EXPIRED",
			"this address has expired at %s; ask GetAudioURL (im.audio_url) for another", time.Unix(expires, 0).UTC().Format(time.RFC3339))
	}
	return nil
}
