// Package openai is a transcriber: any service that speaks OpenAI's API for transcriptions, such as
// OpenAI's own or one that runs beside the node.
package openai

import (
	"context"
	"net/http"

	"github.com/game-im/hermod/plugin"
)

// Keys say which service, and what it is asked for.
type Keys struct {
	BaseURL  string `json:"base_url"` // http or https, without /audio/transcriptions
	APIKey   string `json:"api_key"`  // empty: none is sent
	Model    string `json:"model"`
	Language string `json:"language"` // empty: the service finds out
	Prompt   string `json:"prompt"`   // names and words that occur; empty: none
}

// Transcriber sends recordings to a service. It is safe for concurrent use once its keys are set.
type Transcriber struct {
	client *http.Client
	keys   Keys
}

// New returns a transcriber for the service that k names, unless its Config says otherwise.
func New(k Keys) *Transcriber {
	t := &Transcriber{
		client: &http.Client{
			// The key is for the address in the configuration, and a recording is for nobody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		keys: k,
	}
	if shared, ok := http.DefaultTransport.(*http.Transport); ok {
		own := shared.Clone()
		own.MaxIdleConnsPerHost = 16
		t.client.Transport = own
	}
	return t
}

// Name is the value of audio.transcriber that chooses it.
func (*Transcriber) Name() string { return "openai" }

// Config implements plugin.Configurable.
func (t *Transcriber) Config() any { return &t.keys }

// Transcribe has the service write down what is said. How long that may take is for ctx to say. What
// the service has refused is final, unless it asks to come again.
func (t *Transcriber) Transcribe(ctx context.Context, a plugin.Audio) (plugin.Transcript, error) {
	req, err := t.request(ctx, a)
	if err != nil {
		return plugin.Transcript{}, err
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return plugin.Transcript{}, plugin.Unavailable("the transcription service cannot be reached", err)
	}
	defer resp.Body.Close()
	body, err := read(resp)
	if err != nil {
		return plugin.Transcript{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return plugin.Transcript{}, t.refusal(resp, body)
	}
	return transcript(body)
}
