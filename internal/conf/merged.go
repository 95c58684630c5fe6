package conf

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Merged is a configuration that remembers where its values came from.
type Merged struct {
	Config      *Config
	origins     map[string]origin
	fingerprint string // of the documents that it was made of
}

// Value is one key as people see it.
type Value struct {
	Path   string // like server.im.addr or auth.jwt.keys[0].id
	Text   string // in the notation of a file; Hidden for a secret that is set
	Origin string // where it was written, like "node.yaml line 3"; empty for what nobody wrote
	Live   bool   // a new value is applied while the node runs
	Secret bool
	kind   shape
}

// Hidden stands for secrets wherever a configuration is shown.
const Hidden = "(hidden)"

// Values returns every key in the order of the schema, those of lists element by element. An empty
// list is a key with the text [].
func (m *Merged) Values() []Value { return m.values(m.Config.ProtoReflect(), "") }

func (m *Merged) values(section protoreflect.Message, path string) []Value {
	var all []Value
	fields := section.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := join(path, string(fd.Name()))
		switch shapeOf(fd) {
		case shapeSection:
			all = append(all, m.values(section.Get(fd).Message(), at)...)
		case shapeList:
			list := section.Get(fd).List()
			if list.Len() == 0 {
				all = append(all, m.value(fd, at, "[]"))
			}
			for i := range list.Len() {
				all = append(all, m.values(list.Get(i).Message(), indexed(at, i))...)
			}
		default:
			all = append(all, m.value(fd, at, shown(fd, section.Get(fd))))
		}
	}
	return all
}

func (m *Merged) value(fd protoreflect.FieldDescriptor, at, text string) Value {
	v := Value{Path: at, Text: text, Live: liveness(fd) != afterRestart, Secret: isSecret(fd), kind: shapeOf(fd)}
	if o, ok := m.origins[at]; ok {
		v.Origin = o.String()
	}
	return v
}

// shown writes a value in the notation of a file, and hides it if it is secret, or what is secret in it if it is an address.
func shown(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	text := written(fd, v)
	if isSecret(fd) && text != "" {
		return Hidden
	}
	return text
}

func written(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch s := shapeOf(fd); s {
	case shapeBool:
		return strconv.FormatBool(v.Bool())
	case shapeCount, shapeSize:
		return format(s, v.Int())
	case shapeShare:
		return formatShare(v.Float())
	case shapeDuration:
		return formatDuration(duration(v))
	case shapeWords:
		return "[" + strings.Join(words(v.List()), ", ") + "]"
	case shapeFree:
		return writtenFree(v)
	}
	return ShownURL(v.String())
}

// words are those of a list, as people may see them.
func words(list protoreflect.List) []string {
	all := make([]string, list.Len())
	for i := range all {
		all[i] = ShownURL(list.Get(i).String())
	}
	return all
}
