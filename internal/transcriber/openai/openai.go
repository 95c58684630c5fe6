// Package openai is a transcriber: any service that speaks OpenAI's API for transcriptions, such as
// OpenAI's own or one that runs beside the node.
package openai

import (
	"context"
	"net/http"
	"strings"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Transcriber sends recordings to a service. It is safe for concurrent use.
type Transcriber struct {
	client *http.Client
	url    string
	conf   *conf.Audio_OpenAI
}

// New returns a transcriber for the service that c names.
func New(c *conf.Audio_OpenAI) *Transcriber {
	t := &Transcriber{
		client: &http.Client{
			// The key is for the address in the configuration, and a recording is for nobody else.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		url:  strings.TrimRight(c.GetBaseUrl(), "/") + "/audio/transcriptions",
		conf: c,
	}
	if shared, ok := http.DefaultTransport.(*http.Transport); ok {
		own := shared.Clone()
		own.MaxIdleConnsPerHost = 16
		t.client.Transport = own
	}
	return t
}

// Name is the value of audio.transcriber that chooses it.
func (*Transcriber) Name() string { return conf.TranscriberOpenAI }

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
