package webhook

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/sdk/webhook"
)

// What an endpoint may answer.
const (
	actionPass   = "pass"
	actionChange = "change"
	actionRefuse = "refuse"
)

// question is the body of a request. Content is base64.
type question struct {
	RoomID   string            `json:"room_id"`
	UserID   string            `json:"from_user_id"`
	ClientID string            `json:"client_id,omitempty"`
	Type     string            `json:"type"`
	Content  []byte            `json:"content"`
	Metadata map[string]string `json:"metadata,omitempty"`
}

// answer is what an endpoint says. What a change does not name stays.
type answer struct {
	Action   string             `json:"action"`
	Reason   string             `json:"reason"`
	Content  *[]byte            `json:"content"`
	Metadata *map[string]string `json:"metadata"`
}

// wireNames are the types as im.v1 names them.
var wireNames = map[plugin.MessageType]string{plugin.Text: "TEXT", plugin.Recording: "AUDIO", plugin.RichText: "RICH_TEXT", plugin.System: "SYSTEM"}

// answerBytes bounds an answer: a third more than the largest message has, in base64, and its metadata.
const answerBytes = 24 << 20

// ask asks about a message. Everything that is no answer is an error, of which the host decides.
func (h *Hook) ask(ctx context.Context, m plugin.Message) (a answer, err error) {
	body, err := json.Marshal(question{m.RoomID, m.UserID, m.ClientID, wireNames[m.Type], m.Content, m.Metadata})
	if err != nil {
		return a, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.config.URL, bytes.NewReader(body))
	if err == nil {
		err = webhook.Sign(req.Header, "ask_"+rand.Text(), time.Now(), body, h.config.Secrets...)
	}
	if err != nil {
		return a, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "hermod-webhook")
	resp, err := h.client.Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, whose query may have secrets
	}
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerBytes+1))
	switch {
	case err != nil:
		return a, err
	case resp.StatusCode/100 != 2:
		return a, fmt.Errorf("the endpoint answers %s", resp.Status)
	case len(text) > answerBytes:
		return a, fmt.Errorf("the answer has more than %d bytes", answerBytes)
	case len(bytes.TrimSpace(text)) == 0:
		return a, nil
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("the answer is not the JSON that is expected: %w", err)
	}
	return a, nil
}
