package conf

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// shape is what a key holds, as far as YAML is concerned.
type shape uint8

const (
	shapeSection shape = iota
	shapeList          // of sections
	shapeWords         // a list of texts
	shapeText
	shapeBool
	shapeCount
	shapeSize // bytes
	shapeDuration
	shapeShare // of one
	shapeFree  // a section whose keys the schema does not know
)

func (s shape) String() string {
	return [...]string{"section", "list", "words", "text", "bool", "number", "size", "duration", "share", "free"}[s]
}

var (
	durationName = (*durationpb.Duration)(nil).ProtoReflect().Descriptor().FullName()
	freeName     = (*structpb.Struct)(nil).ProtoReflect().Descriptor().FullName()
)

// shapeOf tells the notation of a field. An integer whose name ends in _bytes is a size.
func shapeOf(fd protoreflect.FieldDescriptor) shape {
	switch {
	case fd.IsList() && fd.Kind() == protoreflect.StringKind:
		return shapeWords
	case fd.IsList():
		return shapeList
	case fd.Kind() == protoreflect.StringKind:
		return shapeText
	case fd.Kind() == protoreflect.BoolKind:
		return shapeBool
	case fd.Kind() == protoreflect.DoubleKind:
		return shapeShare
	case fd.Kind() != protoreflect.MessageKind && strings.HasSuffix(string(fd.Name()), "_bytes"):
		return shapeSize
	case fd.Kind() != protoreflect.MessageKind:
		return shapeCount
	case fd.Message().FullName() == durationName:
		return shapeDuration
	case fd.Message().FullName() == freeName:
		return shapeFree
	}
	return shapeSection
}

// isSecret tells whether the schema marks a field as one that must not be shown.
func isSecret(fd protoreflect.FieldDescriptor) bool {
	o, ok := fd.Options().(*descriptorpb.FieldOptions)
	return ok && o.GetDebugRedact()
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func fieldNames(md protoreflect.MessageDescriptor) []string {
	names := make([]string, md.Fields().Len())
	for i := range names {
		names[i] = string(md.Fields().Get(i).Name())
	}
	return names
}
