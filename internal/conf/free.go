package conf

import (
	"slices"
	"strconv"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"gopkg.in/yaml.v3"
)

// free reads a section whose keys the schema does not know. Whoever does checks them; what is checked
// here is that it is one.
func (p *parser) free(n *yaml.Node, path string) layer {
	n = target(n)
	switch {
	case isNull(n):
		return nil
	case n.Kind != yaml.MappingNode:
		p.note(n, path, "must be a section, not %s", kindName(n))
		return nil
	}
	return layer{path: {free: n, origin: p.origin(n)}}
}

func (l *loader) setFree(m protoreflect.Message, fd protoreflect.FieldDescriptor, v value, at string) {
	if v.free == nil {
		l.report(at, "a section cannot be given as a single value")
		return
	}
	keys, _ := l.freeValue(v.free, at).(map[string]any)
	made, err := structpb.NewStruct(keys)
	if err != nil {
		l.report(at, "is not valid UTF-8")
		return
	}
	m.Set(fd, protoreflect.ValueOfMessage(made.ProtoReflect()))
}

// maxAliased bounds the values that aliases stand for: of aliases to lists of aliases a few lines make any number.
const maxAliased = 100_000

// freeAlias is freeValue of an alias, which nothing has checked for an end.
func (l *loader) freeAlias(n *yaml.Node, at string) any {
	if slices.Contains(l.aliased, n.Alias) {
		l.report(at, "is an alias of what it is a part of")
		return nil
	}
	l.aliased = append(l.aliased, n.Alias)
	defer func() { l.aliased = l.aliased[:len(l.aliased)-1] }()
	return l.freeValue(n.Alias, at)
}

// freeValue is what a node stands for, with its placeholders replaced.
func (l *loader) freeValue(n *yaml.Node, at string) any {
	if len(l.aliased) > 0 {
		l.copies++
	}
	switch {
	case l.copies == maxAliased+1:
		l.report(at, "is one value too many; aliases may stand for "+strconv.Itoa(maxAliased)+" at most")
		l.copies++ // which is said once
		return nil
	case l.copies > maxAliased:
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return l.freeAlias(n, at)
	case yaml.MappingNode:
		return l.freeSection(n, at)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = l.freeValue(item, indexed(at, i))
		}
		return list
	}
	text, _, err := expand(n.Value, l.env)
	if err != nil {
		l.report(at, err.Error())
	}
	return freeScalar(n, text)
}

func (l *loader) freeSection(n *yaml.Node, at string) map[string]any {
	keys := make(map[string]any, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		path := join(at, keyName(k))
		if _, twice := keys[k.Value]; twice || k.Kind != yaml.ScalarNode {
			l.report(path, "is given twice, or is no name of a key")
			continue
		}
		keys[k.Value] = l.freeValue(n.Content[i+1], path)
	}
	return keys
}

// freeScalar has the type that YAML gives to the text as it is now: ${LIMIT:5} is a number unless it is
// quoted. What Struct has no type for, such as a date, stays a text.
func freeScalar(n *yaml.Node, text string) any {
	plain := yaml.Node{Kind: yaml.ScalarNode, Value: text, Style: n.Style}
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Style&yaml.TaggedStyle != 0 && n.ShortTag() == "!!str" {
		return text
	}
	switch plain.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		var v any
		if plain.Decode(&v) == nil {
			return v
		}
	}
	return text
}

// writtenFree tells no more than whether there is something: which of the keys are secret is not known.
func writtenFree(v protoreflect.Value) string {
	if s, ok := v.Message().Interface().(*structpb.Struct); ok && len(s.GetFields()) > 0 {
		return Hidden
	}
	return "{}"
}
