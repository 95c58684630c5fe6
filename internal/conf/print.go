package conf

import (
	"bytes"
	"encoding/json"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"
)

// YAML writes the configuration as a file that has every key, with the origin of each value in a
// comment. Secrets are hidden, so that it has to be completed before a node takes it.
func (m *Merged) YAML() ([]byte, error) {
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(m.section(m.Config.ProtoReflect(), "")); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (m *Merged) section(msg protoreflect.Message, path string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	fields := msg.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := join(path, string(fd.Name()))
		key := &yaml.Node{Kind: yaml.ScalarNode, Value: string(fd.Name())}
		value := m.node(fd, msg.Get(fd), at)
		if value.Kind != yaml.ScalarNode && shapeOf(fd) == shapeList {
			key.LineComment = m.origins[at].String()
		}
		n.Content = append(n.Content, key, value)
	}
	return n
}

func (m *Merged) node(fd protoreflect.FieldDescriptor, v protoreflect.Value, at string) *yaml.Node {
	switch s := shapeOf(fd); s {
	case shapeSection:
		return m.section(v.Message(), at)
	case shapeList:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.List().Len() {
			n.Content = append(n.Content, m.section(v.List().Get(i).Message(), indexed(at, i)))
		}
		if len(n.Content) == 0 {
			n.Style, n.LineComment = yaml.FlowStyle, m.origins[at].String()
		}
		return n
	case shapeWords:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle, LineComment: m.origins[at].String()}
		for _, word := range words(v.List()) {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: word})
		}
		return n
	default:
		n := &yaml.Node{Kind: yaml.ScalarNode, Value: shown(fd, v), LineComment: m.origins[at].String()}
		if s == shapeText && (n.Value == "" || looksLikeAnotherType(n.Value)) {
			n.Style = yaml.DoubleQuotedStyle
		}
		return n
	}
}

// looksLikeAnotherType tells whether a text without quotes would be read as something else by
// readers that guess types, as ours does not.
func looksLikeAnotherType(text string) bool {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil || len(n.Content) != 1 {
		return true
	}
	return n.Content[0].Tag != "!!str" || n.Content[0].Value != text
}

type jsonValue struct {
	Key    string `json:"key"`
	Value  any    `json:"value"`
	Source string `json:"source"`
	Live   bool   `json:"live"`
}

// MarshalJSON gives key, value, source and live. A bool or a number is one; everything else is a text
// in the notation of a file.
func (v Value) MarshalJSON() ([]byte, error) {
	j := jsonValue{Key: v.Path, Value: v.Text, Source: v.Origin, Live: v.Live}
	switch v.kind {
	case shapeBool:
		j.Value = v.Text == "true"
	case shapeShare:
		if f, err := strconv.ParseFloat(v.Text, 64); err == nil {
			j.Value = f
		}
	case shapeCount:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			j.Value = n
		}
	}
	return json.Marshal(j)
}
