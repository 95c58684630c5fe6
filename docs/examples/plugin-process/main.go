// This plugin runs in a process of its own. What it can do is written as for one that is linked in, and
// it could be: hermod.Main(append(hermod.Standard(), &Shrug{})...).
package main

import (
	"bytes"
	"context"
	"errors"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/sdk/pluginserver"
)

func main() { pluginserver.Main(&Shrug{}) }

// Shrug puts something else in the place of a word.
type Shrug struct {
	keys struct {
		Word string `json:"word"`
		Text string `json:"text"`
	}
}

// Name is what the configuration calls it when it is linked in; a process has the name that it is given.
func (*Shrug) Name() string { return "shrug" }

// Config returns what the keys below plugins[].config are set on.
func (s *Shrug) Config() any {
	s.keys.Word, s.keys.Text = ":shrug:", `¯\_(ツ)_/¯`
	return &s.keys
}

// Validate tells what is wrong with them.
func (s *Shrug) Validate() error {
	if s.keys.Word == "" {
		return errors.New("word is empty")
	}
	return nil
}

// InterceptMessage is asked before a message is stored.
func (s *Shrug) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	m.Content = bytes.ReplaceAll(m.Content, []byte(s.keys.Word), []byte(s.keys.Text))
	return m, nil
}
