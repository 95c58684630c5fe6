package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"
)

// parser turns the YAML of one source into a layer, and notes what does not fit the schema.
type parser struct {
	source   string
	lines    bool // name lines in origins
	problems *Problems
}

func (p *parser) note(n *yaml.Node, path, format string, args ...any) {
	*p.problems = append(*p.problems, Problem{Path: path, Text: fmt.Sprintf(format, args...), Source: p.origin(n).String()})
}

func (p *parser) origin(n *yaml.Node) origin {
	if !p.lines {
		return origin{source: p.source}
	}
	return origin{source: p.source, line: n.Line}
}

// parse reads one document. JSON is YAML too.
func (p *parser) parse(text []byte, md protoreflect.MessageDescriptor) layer {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		p.refuse(strings.TrimPrefix(err.Error(), "yaml: "))
		return nil
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		p.refuse("only one YAML document is read, and there is more after it")
	}
	return p.section(doc.Content[0], md, "")
}

func (p *parser) refuse(text string) {
	*p.problems = append(*p.problems, Problem{Text: text, Source: p.source})
}

// section reads a mapping. One with nothing in it, not even braces, is empty: people comment out
// the last key of a section.
func (p *parser) section(n *yaml.Node, md protoreflect.MessageDescriptor, path string) layer {
	n = target(n)
	found := layer{}
	if isNull(n) {
		return found
	}
	if n.Kind != yaml.MappingNode {
		p.note(n, path, "must be a section with the keys %s, not %s", strings.Join(fieldNames(md), ", "), kindName(n))
		return found
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if line, twice := seen[k.Value]; twice {
			p.note(k, join(path, keyName(k)), "given twice, first on line %d", line)
			continue
		}
		seen[k.Value] = k.Line
		maps.Copy(found, p.entry(k, v, md, path))
	}
	return found
}

func (p *parser) entry(k, v *yaml.Node, md protoreflect.MessageDescriptor, path string) layer {
	at := join(path, keyName(k))
	fd := md.Fields().ByName(protoreflect.Name(k.Value))
	if fd == nil || k.Kind != yaml.ScalarNode {
		p.note(k, at, "no such key%s; allowed here: %s", DidYouMean(k.Value, fieldNames(md)), strings.Join(fieldNames(md), ", "))
		return nil
	}
	switch shapeOf(fd) {
	case shapeSection:
		return p.section(v, fd.Message(), at)
	case shapeList:
		return p.list(v, fd.Message(), at)
	case shapeWords:
		return p.words(v, at)
	case shapeFree:
		return p.free(v, at)
	}
	return p.scalar(v, fd, at)
}

func (p *parser) list(n *yaml.Node, md protoreflect.MessageDescriptor, path string) layer {
	n = target(n)
	if !p.isList(n, path) {
		return nil
	}
	elements := make([]element, len(n.Content))
	for i, item := range n.Content {
		at := indexed(path, i)
		elements[i] = element{keys: layer{}, origin: p.origin(item)}
		for k, v := range p.section(item, md, at) {
			elements[i].keys[strings.TrimPrefix(k, at+".")] = v
		}
	}
	return layer{path: {list: elements, origin: p.origin(n)}}
}

func (p *parser) isList(n *yaml.Node, path string) bool {
	if n.Kind != yaml.SequenceNode {
		p.note(n, path, "must be a list, not %s; an empty one is []", kindName(n))
		return false
	}
	return true
}

func (p *parser) words(n *yaml.Node, path string) layer {
	n = target(n)
	if !p.isList(n, path) {
		return nil
	}
	words := make([]value, len(n.Content))
	for i, item := range n.Content {
		word := target(item)
		if word.Kind != yaml.ScalarNode || isNull(word) {
			p.note(word, indexed(path, i), "must be a text, not %s", kindName(word))
		}
		words[i] = value{text: word.Value, origin: p.origin(word)}
	}
	return layer{path: {words: words, origin: p.origin(n)}}
}

func (p *parser) scalar(n *yaml.Node, fd protoreflect.FieldDescriptor, path string) layer {
	n = target(n)
	switch {
	case isNull(n) && shapeOf(fd) == shapeText:
		p.note(n, path, `has no value; write "" for an empty text, or leave the key out for the default`)
	case isNull(n):
		p.note(n, path, "has no value; give a %s, or leave the key out for the default", shapeOf(fd))
	case n.Kind != yaml.ScalarNode:
		p.note(n, path, "must be a %s, not %s", shapeOf(fd), kindName(n))
	default:
		return layer{path: {text: n.Value, origin: p.origin(n)}}
	}
	return nil
}

// target follows an alias to what it stands for.
func target(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindName(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a section"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "nothing"
	}
	return "a single value"
}

// keyName is a key as it is shown: quoted unless it looks like one of ours.
func keyName(k *yaml.Node) string {
	plain := k.Kind == yaml.ScalarNode && k.Value != "" &&
		strings.Trim(k.Value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
	if plain {
		return k.Value
	}
	return strconv.Quote(k.Value)
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
