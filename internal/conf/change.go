package conf

import (
	"slices"

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
// opened with; swaps tells which plugins take keys of their own at once.
func blend(running, started, next *Config, swaps func(plugin string) bool) (*Config, []Change) {
	result := proto.CloneOf(running)
	b := blender{swaps: swaps}
	b.section(result.ProtoReflect(), started.ProtoReflect(), next.ProtoReflect(), "")
	return result, b.changes
}

type blender struct {
	swaps   func(plugin string) bool
	changes []Change
}

func (b *blender) section(into, started, next protoreflect.Message, path string) {
	fields := into.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		at := join(path, string(fd.Name()))
		if shapeOf(fd) == shapeSection {
			b.section(into.Mutable(fd).Message(), started.Get(fd).Message(), next.Get(fd).Message(), at)
			continue
		}
		if b.plugins(into, next, fd, at) {
			continue
		}
		before, after := into.Get(fd), next.Get(fd)
		if before.Equal(after) {
			continue
		}
		b.change(into, fd, at, after, takesEffect(fd, started.Get(fd), after))
	}
}

func (b *blender) change(into protoreflect.Message, fd protoreflect.FieldDescriptor, at string, after protoreflect.Value, live bool) {
	c := Change{Path: at, Live: live, next: after}
	c.Old, c.New = contrast(fd, into.Get(fd), after)
	if c.Live {
		into.Set(fd, after)
	}
	b.changes = append(b.changes, c)
}

// plugins compares the list of plugins key by key, as long as it names the same ones that run at the same places. It
// returns false for any other list, and for one that does not.
func (b *blender) plugins(into, next protoreflect.Message, fd protoreflect.FieldDescriptor, path string) bool {
	ours, ok := into.Interface().(*Config)
	theirs, also := next.Interface().(*Config)
	if !ok || !also || fd.Name() != "plugins" || !slices.EqualFunc(ours.GetPlugins(), theirs.GetPlugins(), samePlugin) {
		return false
	}
	for i, p := range ours.GetPlugins() {
		one, other := p.ProtoReflect(), theirs.GetPlugins()[i].ProtoReflect()
		fields := one.Descriptor().Fields()
		for k := range fields.Len() {
			key := fields.Get(k)
			e := liveness(key)
			if one.Get(key).Equal(other.Get(key)) {
				continue
			}
			live := e == atOnce || e == ifSwapped && b.swaps != nil && b.swaps(p.GetName())
			b.change(one, key, join(indexed(path, i), string(key.Name())), other.Get(key), live)
		}
	}
	return true
}

func samePlugin(a, b *Plugin) bool {
	return a.GetName() == b.GetName() && proto.Equal(a.GetProcess(), b.GetProcess()) && proto.Equal(a.GetService(), b.GetService())
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
