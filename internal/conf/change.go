package conf

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Change is a key whose value is another one than that which the node runs with.
type Change struct {
	Path     string
	Old, New string // in the notation of a file, secrets hidden
	Live     bool   // it took effect; otherwise it waits for a restart
	next     protoreflect.Value
}

// blend returns what a node runs with once next was read: running, with the new values that take
// effect at once, and every difference between the two. started is what listeners and store were
// opened with.
func blend(running, started, next *Config) (*Config, []Change) {
	result := proto.CloneOf(running)
	var changes []Change
	blendSection(result.ProtoReflect(), started.ProtoReflect(), next.ProtoReflect(), "", &changes)
	return result, changes
}

func blendSection(into, started, next protoreflect.Message, path string, changes *[]Change) {
	fields := into.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := join(path, string(fd.Name()))
		if shapeOf(fd) == shapeSection {
			blendSection(into.Mutable(fd).Message(), started.Get(fd).Message(), next.Get(fd).Message(), at, changes)
			continue
		}
		before, after := into.Get(fd), next.Get(fd)
		if before.Equal(after) {
			continue
		}
		c := Change{Path: at, Live: takesEffect(fd, started.Get(fd), after), next: after}
		c.Old, c.New = contrast(fd, before, after)
		if c.Live {
			into.Set(fd, after)
		}
		*changes = append(*changes, c)
	}
}

// contrast shows two values. Of a list only its length is told: its elements may have secrets.
func contrast(fd protoreflect.FieldDescriptor, before, after protoreflect.Value) (older, newer string) {
	if shapeOf(fd) != shapeList {
		return shown(fd, before), shown(fd, after)
	}
	older, newer = entries(before.List().Len()), entries(after.List().Len())
	if older == newer {
		newer += ", not the same"
	}
	return older, newer
}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return format(shapeCount, int64(n)) + " entries"
}
