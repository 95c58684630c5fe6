package webhook

import (
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Delivery is the body of a request: messages of one room or several, those of one room in the order of their seq.
type Delivery struct {
	Webhook string // its name in the configuration
	// Messages are as im.v1 has them: what was said, and, as SYSTEM messages, what became of members, messages and
	// rooms. A message is as it was when it was sent here: one that was recalled meanwhile has no content any more.
	Messages []*imv1.MessageResponse
}

// Parse reads the body of a request that was verified. Fields that it does not know are left out: the node may be newer.
func Parse(body []byte) (Delivery, error) {
	var raw struct {
		Webhook  string            `json:"webhook"`
		Messages []json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		return Delivery{}, fmt.Errorf("webhook: %w", err)
	}
	d := Delivery{Webhook: raw.Webhook}
	for _, text := range raw.Messages {
		m := &imv1.MessageResponse{}
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, m); err != nil {
			return Delivery{}, fmt.Errorf("webhook: a message: %w", err)
		}
		d.Messages = append(d.Messages, m)
	}
	return d, nil
}
