package biz_test

import (
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// uploaded puts a recording into room r.
func (h *hall) uploaded(t *testing.T) biz.Audio {
	t.Helper()
	audio, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: []string{"abcde"}})
	wantError(t, err, 0, "")
	return audio
}

func (h *hall) granted(t *testing.T, id biz.AudioID, query string) (string, error) {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	_, r, err := h.audios.OpenGranted(t.Context(), id, values)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestSignedURLs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		audio := h.uploaded(t)
		grant, err := h.audios.Grant(t.Context(), alice, "", audio.ID, 0)
		wantError(t, err, 0, "")
		if !grant.Expires.Equal(time.Now().Add(time.Hour).Truncate(time.Second)) {
			t.Errorf("expires at %s", grant.Expires)
		}
		for _, told := range []string{"alice", string(audio.Room) + "="} {
			if strings.Contains(grant.Query, told) {
				t.Errorf("%q tells %q", grant.Query, told)
			}
		}
		if got, err := h.granted(t, audio.ID, grant.Query); got != "abcde" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		brief, err := h.audios.Grant(t.Context(), alice, "", audio.ID, time.Minute)
		wantError(t, err, 0, "")
		time.Sleep(time.Minute)
		_, err = h.granted(t, audio.ID, brief.Query)
		wantError(t, err, biz.KindPermissionDenied, "AUDIO_URL_EXPIRED")
		if _, err := h.granted(t, audio.ID, grant.Query); err != nil {
			t.Errorf("the longer one: %v", err)
		}
		time.Sleep(time.Hour)
		_, err = h.granted(t, audio.ID, grant.Query)
		wantError(t, err, biz.KindPermissionDenied, "AUDIO_URL_EXPIRED")
	})
}

func TestSignedURLsThatAreNot(t *testing.T) {
	t.Parallel()
	h := newHall()
	audio, other := h.uploaded(t), h.uploaded(t)
	grant, err := h.audios.Grant(t.Context(), alice, "", audio.ID, 0)
	wantError(t, err, 0, "")
	good, err := url.ParseQuery(grant.Query)
	if err != nil {
		t.Fatal(err)
	}
	changed := func(key, value string) string {
		q := url.Values{"expires": good["expires"], "sig": good["sig"]}
		q.Set(key, value)
		return q.Encode()
	}
	for name, test := range map[string]struct {
		id    biz.AudioID
		query string
	}{
		"another recording":    {other.ID, grant.Query},
		"one that is not":      {"x", grant.Query},
		"another spelling":     {audio.ID, changed("sig", good.Get("sig")+"\n")},
		"unused bits":          {audio.ID, changed("sig", good.Get("sig")[:42]+following(good.Get("sig")[42]))},
		"the time with a plus": {audio.ID, changed("expires", "+"+good.Get("expires"))},
		"a later time":         {audio.ID, changed("expires", good.Get("expires")+"0")},
		"an expired time":      {audio.ID, changed("expires", "1")},
		"no time":              {audio.ID, changed("expires", "")},
		"a strange time":       {audio.ID, changed("expires", "0x10")},
		"another signature":    {audio.ID, changed("sig", strings.Repeat("A", 43))},
		"a shorter signature":  {audio.ID, changed("sig", good.Get("sig")[:20])},
		"no signature":         {audio.ID, changed("sig", "")},
		"no base64":            {audio.ID, changed("sig", "!!!")},
	} {
		_, err := h.granted(t, test.id, test.query)
		t.Run(name, func(t *testing.T) { wantError(t, err, biz.KindPermissionDenied, "AUDIO_URL_INVALID") })
	}
}

func TestWhoIsGrantedAURL(t *testing.T) {
	t.Parallel()
	h := newHall()
	audio := h.uploaded(t)
	for name, test := range map[string]struct {
		by     biz.Identity
		id     biz.AudioID
		valid  time.Duration
		kind   biz.Kind
		reason string
	}{
		"a member":     {biz.Identity{User: "carol"}, audio.ID, time.Hour, 0, ""},
		"a service":    {backend, audio.ID, time.Second, 0, ""},
		"no member":    {bob, audio.ID, 0, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		"nobody":       {nobody, audio.ID, 0, biz.KindUnauthenticated, "UNAUTHENTICATED"},
		"too long":     {alice, audio.ID, time.Hour + time.Second, biz.KindInvalid, "AUDIO_URL_LIFETIME"},
		"less than no": {alice, audio.ID, -time.Second, biz.KindInvalid, "AUDIO_URL_LIFETIME"},
		"unknown":      {alice, "x", 0, biz.KindNotFound, "AUDIO_NOT_FOUND"},
	} {
		_, err := h.audios.Grant(t.Context(), test.by, "", test.id, test.valid)
		t.Run(name, func(t *testing.T) { wantError(t, err, test.kind, test.reason) })
	}
}

// TestURLKeysRotate: the first key signs, and what an older one has signed is good as long as it is in the list.
func TestURLKeysRotate(t *testing.T) {
	t.Parallel()
	h := newHall()
	audio := h.uploaded(t)
	old, err := h.audios.Grant(t.Context(), alice, "", audio.ID, 0)
	wantError(t, err, 0, "")
	rules := biz.AudioRules{URLs: biz.AudioURLRules{Keys: [][]byte{[]byte("new"), []byte("first")}, Lifetime: time.Hour}}
	h.audios.SetRules(rules)
	fresh, err := h.audios.Grant(t.Context(), alice, "", audio.ID, 0)
	wantError(t, err, 0, "")
	for _, query := range []string{old.Query, fresh.Query} {
		if _, err := h.granted(t, audio.ID, query); err != nil {
			t.Error(err)
		}
	}
	rules.URLs.Keys = rules.URLs.Keys[:1]
	h.audios.SetRules(rules)
	_, err = h.granted(t, audio.ID, old.Query)
	wantError(t, err, biz.KindPermissionDenied, "AUDIO_URL_INVALID")
	if _, err := h.granted(t, audio.ID, fresh.Query); err != nil {
		t.Error(err)
	}
}

func TestUploadersAreGrantedByRule(t *testing.T) {
	t.Parallel()
	h := newHall()
	audio := h.uploaded(t)
	if grant, err := h.audios.GrantUpload(audio.ID); grant.Query != "" || err != nil {
		t.Errorf("%+v, %v", grant, err)
	}
	h.audios.SetRules(biz.AudioRules{URLs: biz.AudioURLRules{Keys: [][]byte{[]byte("key")}, Lifetime: time.Hour, SignUploads: true}})
	grant, err := h.audios.GrantUpload(audio.ID)
	wantError(t, err, 0, "")
	if got, err := h.granted(t, audio.ID, grant.Query); got != "abcde" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// following is the next digit in base64: behind the last one of 256 bits, it says the same.
func following(digit byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, digit)+1])
}
