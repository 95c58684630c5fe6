package conf

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Keys returns what a section has, by key, in the form in which plugins are given the keys of their own:
// text, bool, float64, a duration as 1m30s, and lists and maps of such. A section in it that is not set is
// left out.
func Keys(section proto.Message) map[string]any {
	keys := map[string]any{}
	m := section.ProtoReflect()
	if !m.IsValid() {
		return keys
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		switch {
		case fd.IsMap(), fd.Message() != nil && !fd.IsList() && !m.Has(fd):
		case fd.IsList():
			list := m.Get(fd).List()
			items := make([]any, list.Len())
			for n := range items {
				items[n] = keyValue(fd, list.Get(n))
			}
			keys[string(fd.Name())] = items
		default:
			keys[string(fd.Name())] = keyValue(fd, m.Get(fd))
		}
	}
	return keys
}

func keyValue(fd protoreflect.FieldDescriptor, v protoreflect.Value) any {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok {
			return d.AsDuration().String()
		}
		return Keys(v.Message().Interface())
	case protoreflect.BoolKind:
		return v.Bool()
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return float64(v.Int())
	case protoreflect.DoubleKind:
		return v.Float()
	}
	return v.String()
}
