package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/game-im/hermod/plugin"
)

const (
	// maxResponse is far more than a transcript may have, with its segments.
	maxResponse = 8 << 20
	// maxMessage bounds what is repeated of a service's own words.
	maxMessage = 300
)

func read(resp *http.Response) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err != nil {
		return nil, plugin.Unavailable("the transcription service broke off its answer", err)
	}
	if len(body) > maxResponse {
		return nil, plugin.Refused("the transcription service answers with more than %d bytes", maxResponse)
	}
	return body, nil
}

// result is an answer in the formats json and verbose_json.
type result struct {
	Text     *string   `json:"text"`
	Segments []segment `json:"segments"`
}

type segment struct {
	Start   float64  `json:"start"` // seconds
	End     float64  `json:"end"`
	LogProb *float64 `json:"avg_logprob"`
}

func transcript(body []byte) (plugin.Transcript, error) {
	var r result
	err := json.Unmarshal(body, &r)
	if err == nil && r.Text == nil {
		err = errors.New("there is no text")
	}
	if err != nil { // most likely something between here and the service
		return plugin.Transcript{}, plugin.Unavailable("the transcription service answers in no way that is understood", err)
	}
	return plugin.Transcript{Text: strings.TrimSpace(*r.Text), Confidence: confidence(r.Segments)}, nil
}

// confidence is the probability of a token, on average over the time that people speak; 0 when the
// service does not say.
func confidence(segments []segment) float64 {
	var sum, seconds float64
	for _, s := range segments {
		if s.LogProb == nil || !(s.End > s.Start) {
			continue
		}
		sum += (s.End - s.Start) * *s.LogProb
		seconds += s.End - s.Start
	}
	if p := math.Exp(sum / seconds); p >= 0 { // not when there is nothing, or nothing finite
		return min(p, 1)
	}
	return 0
}

// refusal says what an answer other than 200 means.
func (t *Transcriber) refusal(resp *http.Response, body []byte) error {
	said := t.message(body)
	cause := fmt.Errorf("%s: %s", resp.Status, said)
	switch code := resp.StatusCode; {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout,
		code == http.StatusConflict, code == http.StatusTooEarly:
		return &plugin.Error{
			Kind: plugin.KindUnavailable, Cause: cause, RetryAfter: retryAfter(resp.Header),
			Reason: fmt.Sprintf("the transcription service answers %d %s", code, http.StatusText(code)),
		}
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		// Its words may quote the key.
		return &plugin.Error{
			Kind: plugin.KindRefused, Cause: cause,
			Reason: fmt.Sprintf("the transcription service does not accept this node's key (%d)", code),
		}
	case code >= 400:
		return &plugin.Error{
			Kind: plugin.KindRefused, Reason: fmt.Sprintf("the transcription service refuses the recording (%d): %s", code, said),
		}
	case code >= 300:
		return plugin.Refused("the transcription service is elsewhere (%d), and audio.openai.base_url has to say where", code)
	}
	return &plugin.Error{
		Kind: plugin.KindUnavailable, Cause: cause,
		Reason: fmt.Sprintf("the transcription service answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode)),
	}
}

// message is what a service says about an error, in its own words, without the key.
func (t *Transcriber) message(body []byte) string {
	var e struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	said := string(body)
	if json.Unmarshal(body, &e) == nil && e.Error.Message != "" {
		said = e.Error.Message
	}
	if key := t.keys.APIKey; key != "" {
		said = strings.ReplaceAll(said, key, "[key]")
	}
	said = strings.Join(strings.Fields(strings.ToValidUTF8(said, "\uFFFD")), " ")
	if len(said) > maxMessage {
		said = strings.ToValidUTF8(said[:maxMessage], "") + "..."
	}
	if said == "" {
		return "it does not say why"
	}
	return said
}

// retryAfter reads how long a service asks to wait, in seconds or until a date; 0 when it does not.
func retryAfter(h http.Header) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
