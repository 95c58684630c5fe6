package conf

import (
	"context"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"gopkg.in/yaml.v3"

	"github.com/game-im/hermod/configs"
)

// Override is one key that was given apart from any file.
type Override struct {
	Path  string // a scalar key, like server.im.addr
	Value string // in the notation of a file, without placeholders
	From  string // what problems name as its origin, like "flag -im"
}

// Load reads the defaults, then the files and folders in the order given, then the overrides, and
// checks the result. It is Set.Load for those who want the configuration alone.
func Load(paths []string, overrides ...Override) (*Config, error) {
	m, err := Set{Sources: Files(paths...), Overrides: overrides}.Load(context.Background())
	if err != nil {
		return nil, err
	}
	return m.Config, nil
}

func defaults() Document {
	return Document{Name: "built-in default", Text: []byte(configs.Defaults)}
}

// loader makes a configuration of documents and overrides, once.
type loader struct {
	env      func(string) (string, bool)
	problems Problems
	origins  map[string]origin // of every key that has a value, and every element of a list
	aliased  []*yaml.Node      // what the aliases stand for, one in another, that a free section is read through
	copies   int               // values that were read through aliases
}

func (l *loader) load(docs []Document, overrides []Override) (*Config, error) {
	l.origins = map[string]origin{}
	c := &Config{}
	root := c.ProtoReflect()
	merged := layer{}
	for _, d := range docs {
		p := parser{source: d.Name, lines: d.Lines, problems: &l.problems}
		maps.Copy(merged, p.parse(d.Text, root.Descriptor()))
	}
	for _, o := range overrides {
		merged[o.Path] = value{text: o.Value, literal: true, origin: origin{source: o.From}}
	}
	l.fill(root, merged, "")
	l.check(c)
	if err := l.problems.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// fill sets the keys of a layer on the section that they are relative to.
func (l *loader) fill(m protoreflect.Message, keys layer, prefix string) {
	for _, path := range slices.Sorted(maps.Keys(keys)) {
		v, at := keys[path], prefix+path
		l.origins[at] = v.origin
		if section, fd := reach(m, path); fd != nil {
			l.set(section, fd, v, at)
		} else {
			l.report(at, "no such key")
		}
	}
}

// reach finds the scalar or list that a path leads to, and makes the sections on its way. The field
// is nil when there is none.
func reach(m protoreflect.Message, path string) (protoreflect.Message, protoreflect.FieldDescriptor) {
	for {
		first, rest, more := strings.Cut(path, ".")
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(first))
		if fd == nil || more != (shapeOf(fd) == shapeSection) {
			return m, nil
		}
		if !more {
			return m, fd
		}
		m, path = m.Mutable(fd).Message(), rest
	}
}

func (l *loader) set(m protoreflect.Message, fd protoreflect.FieldDescriptor, v value, at string) {
	switch shapeOf(fd) {
	case shapeList:
		l.setList(m, fd, v, at)
	case shapeWords:
		l.setWords(m, fd, v, at)
	case shapeFree:
		l.setFree(m, fd, v, at)
	default:
		if parsed, ok := l.scalar(fd, v, at); ok {
			m.Set(fd, parsed)
		}
	}
}

// scalar reads a value, or reports what is wrong with it.
func (l *loader) scalar(fd protoreflect.FieldDescriptor, v value, at string) (protoreflect.Value, bool) {
	text := v.text
	if !v.literal {
		expanded, used, err := expand(v.text, l.env)
		v.origin.variables = used
		l.origins[at] = v.origin
		if err != nil {
			l.report(at, err.Error())
			return protoreflect.Value{}, false
		}
		text = expanded
	}
	parsed, err := parseScalar(fd, text)
	if err != nil {
		l.report(at, err.Error())
		return protoreflect.Value{}, false
	}
	return parsed, true
}

const singleValue = "a list cannot be given as a single value"

func (l *loader) setWords(m protoreflect.Message, fd protoreflect.FieldDescriptor, v value, at string) {
	if v.words == nil {
		l.report(at, singleValue)
		return
	}
	list := m.Mutable(fd).List()
	for i, w := range v.words {
		word, ok := l.scalar(fd, w, indexed(at, i))
		if !ok {
			word = protoreflect.ValueOfString("") // those after it keep their place
		}
		list.Append(word)
	}
}

func (l *loader) setList(m protoreflect.Message, fd protoreflect.FieldDescriptor, v value, at string) {
	if v.list == nil {
		l.report(at, singleValue)
		return
	}
	list := m.Mutable(fd).List()
	for i, e := range v.list {
		item := indexed(at, i)
		l.origins[item] = e.origin
		l.fill(list.AppendMutable().Message(), e.keys, item+".")
	}
}

// check adds what is wrong with the values. A key that could not be read has been reported, and
// what its zero value would break says nothing new.
func (l *loader) check(c *Config) {
	for _, p := range inspect(c) {
		if !l.problems.has(p.Path) {
			l.report(p.Path, p.Text)
		}
	}
}

func (l *loader) report(path, text string) {
	l.problems = append(l.problems, Problem{Path: path, Text: text, Source: l.originOf(path)})
}

// originOf falls back to the element that a missing key of a list belongs to.
func (l *loader) originOf(path string) string {
	for path != "" {
		if o, ok := l.origins[path]; ok {
			return o.String()
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
	return ""
}
