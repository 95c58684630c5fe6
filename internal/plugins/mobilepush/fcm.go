package mobilepush

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// fcm sends by the HTTP v1 API of Firebase Cloud Messaging. Google's own library for it brings dozens of modules, most of
// them for databases and telemetry; what is used of the API is one request.
type fcm struct {
	config *Config
	url    string
	client *http.Client
	access *access
}

func newFCM(c *Config) (*fcm, error) {
	account, err := readAccount(&c.FCM)
	if err != nil {
		return nil, err
	}
	client, err := newClient(c.FCM.CAFile, c.Requests, c.RequestTimeout)
	if err != nil {
		return nil, err
	}
	base, err := url.Parse(c.FCM.URL)
	if err != nil {
		return nil, errors.New("url is no address")
	}
	to := base.JoinPath("v1", "projects", account.ProjectID, "messages:send").String()
	return &fcm{config: c, url: to, client: client, access: newAccess(account, client)}, nil
}

func (f *fcm) close() { f.client.CloseIdleConnections() }

// quotaPause is what Google asks for when it says that a quota is used up, and not for how long.
const quotaPause = time.Minute

func (f *fcm) send(ctx context.Context, to target, t *note, says words) answer {
	payload, err := f.config.firebasePayload(t, to, says)
	if err != nil {
		return answer{outcome: tooLarge, reason: err.Error()}
	}
	for again := range 2 {
		token, err := f.access.get(ctx)
		if err != nil {
			return unauthorized(err)
		}
		resp, body, err := f.post(ctx, token, payload)
		if resp == nil {
			return failed(err)
		}
		if resp.StatusCode == http.StatusUnauthorized && again == 0 && firebaseErrorOf(body).code() != "THIRD_PARTY_AUTH_ERROR" {
			f.access.forget(token)
			continue
		}
		return firebaseAnswer(resp, body)
	}
	return answer{outcome: denied, reason: "UNAUTHENTICATED"} // not reached: the second time returns
}

func (f *fcm) post(ctx context.Context, token string, payload []byte) (*head, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url, bytes.NewReader(payload))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	return fetched(f.client, req, answerBytes)
}

// firebaseError is how the API says no.
type firebaseError struct {
	Error struct {
		Message string `json:"message"`
		Status  string `json:"status"`
		Details []struct {
			ErrorCode       string `json:"errorCode"`
			FieldViolations []struct {
				Field string `json:"field"`
			} `json:"fieldViolations"`
		} `json:"details"`
	} `json:"error"`
}

func firebaseErrorOf(body []byte) (e firebaseError) {
	if json.Unmarshal(body, &e) != nil {
		return firebaseError{} // the status has to do
	}
	return e
}

// code is FCM's own, or else that of Google's APIs.
func (e firebaseError) code() string {
	for _, d := range e.Error.Details {
		if d.ErrorCode != "" {
			return d.ErrorCode
		}
	}
	return e.Error.Status
}

// ofToken tells whether an invalid argument is the token.
func (e firebaseError) ofToken() bool {
	for _, d := range e.Error.Details {
		for _, v := range d.FieldViolations {
			if v.Field == "message.token" {
				return true
			}
		}
	}
	return strings.Contains(strings.ToLower(e.Error.Message), "registration token")
}

// reasonBytes bounds what of other people's words goes to the log and to the service.
const reasonBytes = 64

func firebaseAnswer(resp *head, body []byte) answer {
	e := firebaseErrorOf(body)
	a := answer{reason: shortened(e.code(), reasonBytes)}
	if a.reason == "" {
		a.reason = "the answer is " + resp.Status
	}
	switch status := resp.StatusCode; {
	case status/100 == 2:
		return accepted(body)
	case status/100 == 4 && a.reason == "UNREGISTERED", status == http.StatusBadRequest && e.code() == "INVALID_ARGUMENT" && e.ofToken():
		a.outcome = dead
	case status == http.StatusTooManyRequests:
		a.outcome, a.retryAfter = throttled, retryAfter(resp.Header, time.Now())
		if a.retryAfter == 0 {
			a.retryAfter = quotaPause
		}
	case status >= 500:
		a.outcome, a.retryAfter = unavailable, retryAfter(resp.Header, time.Now())
	case status == http.StatusRequestEntityTooLarge:
		a.outcome = tooLarge
	case status == http.StatusUnauthorized || a.reason == "PERMISSION_DENIED":
		a.outcome = denied
	default:
		a.outcome = refused
	}
	return a
}

// accepted has a success name what was accepted: a page of somebody between does not.
func accepted(body []byte) answer {
	var done struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(body, &done) != nil || done.Name == "" {
		return answer{outcome: garbled, reason: "the answer names no message"}
	}
	return answer{outcome: sent}
}
