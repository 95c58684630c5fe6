package server

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
)

// mediaTypes is how browsers know a format; others are bytes to them.
var mediaTypes = map[string]string{
	"aac":  "audio/aac",
	"amr":  "audio/amr",
	"flac": "audio/flac",
	"m4a":  "audio/mp4",
	"mp3":  "audio/mpeg",
	"ogg":  "audio/ogg",
	"opus": "audio/ogg; codecs=opus",
	"wav":  "audio/wav",
	"webm": "audio/webm",
}

// recordings serves /audio/{id}.
type recordings struct {
	audios  *biz.Audios
	clients *auth.Verifier
	log     *slog.Logger
}

// ServeHTTP implements http.Handler.
func (s *recordings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answerHTTP(w, r, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "only GET and HEAD are allowed here")
		return
	}
	audio, content, err := s.open(r)
	if err != nil {
		refuseHTTP(w, r, s.log, err)
		return
	}
	defer func() { _ = content.Close() }() // it was only read
	h := w.Header()
	media, known := mediaTypes[audio.Format]
	disposition := "inline"
	if !known {
		media, disposition = "application/octet-stream", "attachment"
	}
	name := string(audio.ID) + "." + audio.Format
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", disposition+`; filename="`+name+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+string(audio.ID)+`"`)
	// A recording never changes, and who may hear it is for this node to say, not for a cache between.
	h.Set("Cache-Control", "private, max-age="+strconv.Itoa(keptFor(r))+", immutable")
	h.Set("Vary", "Authorization, User-Id")
	if audio.Duration > 0 {
		h.Set("Audio-Duration", strconv.FormatFloat(audio.Duration.Seconds(), 'f', 3, 64))
	}
	if audio.Waveform != "" { // which may not have been there yet when the upload was answered
		h.Set("Audio-Waveform", base64.StdEncoding.EncodeToString([]byte(audio.Waveform)))
	}
	http.ServeContent(w, r, name, audio.CreatedAt, &patient{content, http.NewResponseController(w)})
}

const year = 365 * 24 * 60 * 60

// keptFor is how many seconds a client may keep an answer: that to a signed address is not to outlive it.
func keptFor(r *http.Request) int {
	expires, signed := biz.GrantedUntil(r.URL.Query())
	if !signed {
		return year
	}
	return int(max(0, min(time.Until(expires), year*time.Second)).Seconds())
}

// open lets in whoever shows a signed address, and members who prove who they are. An address that is good no
// more does not stand in the way of the latter.
func (s *recordings) open(r *http.Request) (biz.Audio, io.ReadSeekCloser, error) {
	query := r.URL.Query()
	if biz.Granted(query) {
		audio, content, err := s.audios.OpenGranted(r.Context(), biz.AudioID(r.PathValue("id")), query)
		if biz.KindOf(err) != biz.KindPermissionDenied || !credentialsShown(r) {
			return audio, content, err
		}
	}
	id, err := identity(r.Context(), s.clients, credentialsOf(r))
	if err != nil {
		return biz.Audio{}, nil, err
	}
	if id.User == "" { // a backend that speaks for nobody has no business here
		id.Trusted = false
	}
	return s.audios.Open(r.Context(), id, biz.AudioID(r.PathValue("id")))
}

// credentialsOf reads who is calling from the headers, or from the query, since a browser's player
// sets no headers: ?token=, ?user-id=.
func credentialsOf(r *http.Request) func(key string) string {
	query := r.URL.Query()
	return func(key string) string {
		if v := r.Header.Get(key); v != "" {
			return v
		}
		if key != keyAuthorization {
			return query.Get(key)
		}
		if token := query.Get("token"); token != "" {
			return "Bearer " + token
		}
		return ""
	}
}

// credentialsShown tells whether a request says who is calling, besides by its connection.
func credentialsShown(r *http.Request) bool {
	credentials := credentialsOf(r)
	return credentials(keyAuthorization) != "" || credentials(keyUser) != ""
}

// patient gives a client httpStall for each part of an answer, however many there are.
type patient struct {
	io.ReadSeeker
	answer *http.ResponseController
}

// Read implements io.Reader.
func (p *patient) Read(b []byte) (int, error) {
	if err := p.answer.SetWriteDeadline(time.Now().Add(httpStall)); err != nil {
		return 0, err
	}
	return p.ReadSeeker.Read(b)
}
