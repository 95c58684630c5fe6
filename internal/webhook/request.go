package webhook

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/sdk/webhook"
)

// verdict is what came of a request.
type verdict uint8

const (
	delivered   verdict = iota
	refused             // it will not take these messages, whenever they come: 400, 413, 422
	gone                // nor any more: 410
	failed              // it has answered, with whatever else
	unreachable         // it has not, or not for itself: no answer, 429, 502, 503, 504
)

// verdicts are their names in metrics.
var verdicts = [...]string{"delivered", "refused", "gone", "failed", "unreachable"}

// response is the end of a request.
type response struct {
	verdict verdict
	after   time.Duration // advice when to come again; 0: none
	reason  string        // why it was not delivered
}

const (
	// answerBytes is how much of an answer is read: enough for its connection to serve again, and for a word in
	// the log.
	answerBytes = 16 << 10
	// reasonBytes is how much of it is told.
	reasonBytes = 200
	// mostAdvice bounds what Retry-After may ask for.
	mostAdvice = time.Hour
)

// sender makes the requests of one webhook. Safe for concurrent use.
type sender struct {
	opts   Options
	client *http.Client
}

func newSender(o Options) *sender {
	transport := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		DialContext:     (&net.Dialer{Timeout: o.Deadline, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig: o.TLS, TLSHandshakeTimeout: o.Deadline, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: o.Concurrency, MaxConnsPerHost: o.Concurrency, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &sender{opts: o, client: &http.Client{
		Transport: transport,
		// What is signed for one place is not sent to another, which only that one has named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (s *sender) close() { s.client.CloseIdleConnections() }

// body writes what a request consists of.
func (s *sender) body(messages []json.RawMessage) ([]byte, error) {
	return json.Marshal(struct {
		Webhook  string            `json:"webhook"`
		Messages []json.RawMessage `json:"messages"`
	}{s.opts.Name, messages})
}

// deliveryID names a delivery. It is the same for the same messages, so that a receiver knows what a node has sent again
// that did not live to note that it was taken; and another one after somebody has asked for them again.
type deliveryID struct{ hash.Hash }

func newDeliveryID(webhook string) deliveryID {
	h := sha256.New()
	fmt.Fprintf(h, "%q", webhook)
	return deliveryID{h}
}

// add adds messages of one room, after so many replays.
func (d deliveryID) add(replays int64, messages []*biz.Message) {
	for _, m := range messages {
		fmt.Fprintf(d, " %d %q %d", replays, m.Room, m.Seq)
	}
}

func (d deliveryID) String() string {
	return "msg_" + base64.RawURLEncoding.EncodeToString(d.Sum(nil)[:18])
}

// send makes one request, and says what came of it.
func (s *sender) send(ctx context.Context, id string, body []byte) response {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Deadline)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opts.URL, bytes.NewReader(body))
	if err == nil {
		err = webhook.Sign(req.Header, id, time.Now(), body, s.opts.Secrets...)
	}
	if err != nil { // the configuration was checked
		return response{verdict: unreachable, reason: err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "hermod-webhook")
	resp, err := s.client.Do(req)
	if err != nil {
		return response{verdict: unreachable, reason: printable(withoutURL(err))}
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes))
	if err != nil && resp.StatusCode/100 != 2 {
		said = nil // what it is worth is in its status
	}
	return judge(resp, said, time.Now())
}

// withoutURL leaves out the address, which may have secrets in its query.
func withoutURL(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return err.Error()
}

func judge(resp *http.Response, said []byte, now time.Time) response {
	r := response{verdict: failed, after: advice(resp.Header.Get("Retry-After"), now)}
	switch resp.StatusCode {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		r.verdict = refused
	case http.StatusGone:
		r.verdict = gone
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		r.verdict = unreachable
	default:
		if resp.StatusCode/100 == 2 {
			return response{verdict: delivered}
		}
	}
	r.reason = printable("answered " + resp.Status)
	if text := printable(string(said)); text != "" {
		r.reason += ": " + text
	}
	return r
}

// printable keeps what is told of an answer short, on one line, and harmless to databases and terminals.
func printable(said string) string {
	harmless := func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}
	text := strings.Join(strings.Fields(strings.Map(harmless, strings.ToValidUTF8(said, "�"))), " ")
	if len(text) > reasonBytes {
		text = text[:reasonBytes]
		for !utf8.ValidString(text) {
			text = text[:len(text)-1]
		}
	}
	return text
}

// advice reads Retry-After, in seconds or as a date.
func advice(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(mostAdvice/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), mostAdvice)
	}
	return 0
}
