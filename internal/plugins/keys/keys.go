// Package keys sets the fields of a plugin's configuration, in the node and in the process of a plugin
// that runs beside it. It holds nothing.
package keys

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Problem is what is wrong with a key.
type Problem struct {
	Key  string // its path, such as limits.rate or words[3]; empty: all of them
	Text string // says no value: which of them are secret is not known
}

// Set sets the fields of the struct that into points to by their json tags, as plugin.Configurable says.
// When there are problems, some fields may have been set.
func Set(into any, keys map[string]any) []Problem {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return []Problem{{Text: "the plugin is at fault: its Config returns no pointer to a struct"}}
	}
	var f filler
	f.section(v.Elem(), keys, "")
	return f.problems
}

// Known returns those keys that the struct has fields for that into points to.
func Known(into any, keys map[string]any) map[string]any {
	return known(reflect.Indirect(reflect.ValueOf(into)), keys)
}

func known(s reflect.Value, keys map[string]any) map[string]any {
	if s.Kind() != reflect.Struct {
		return nil
	}
	fields, its := fieldsOf(s), map[string]any{}
	for key, v := range keys {
		field, ok := fields[key]
		if !ok {
			continue
		}
		if below, is := v.(map[string]any); is && field.Kind() == reflect.Struct {
			v = known(field, below)
		}
		its[key] = v
	}
	return its
}

// filler sets fields by their json tags, and notes what does not fit.
type filler struct{ problems []Problem }

func (f *filler) note(at, format string, args ...any) {
	f.problems = append(f.problems, Problem{Key: at, Text: fmt.Sprintf(format, args...)})
}

func (f *filler) section(into reflect.Value, keys map[string]any, at string) {
	fields := fieldsOf(into)
	if at != "" {
		at += "."
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		field, ok := fields[key]
		if !ok {
			f.note(at+key, "no such key; allowed here: %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
			continue
		}
		f.set(field, keys[key], at+key)
	}
}

// fieldsOf returns the fields of a struct that have a key, by it.
func fieldsOf(s reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range s.NumField() {
		t := s.Type().Field(i)
		name, _, _ := strings.Cut(t.Tag.Get("json"), ",")
		if t.IsExported() && name != "" && name != "-" {
			fields[name] = s.Field(i)
		}
	}
	return fields
}

var durationType = reflect.TypeFor[time.Duration]()

func (f *filler) set(into reflect.Value, v any, at string) {
	switch kind := into.Kind(); {
	case into.Type() == durationType:
		text, ok := v.(string)
		d, err := time.ParseDuration(text)
		if !ok || err != nil {
			f.note(at, "is not a duration; write it like 250ms, 30s, 1m30s or 24h")
			return
		}
		into.SetInt(int64(d))
	case kind == reflect.Struct:
		keys, ok := v.(map[string]any)
		if !ok {
			f.note(at, "must be a section with the keys %s", strings.Join(slices.Sorted(maps.Keys(fieldsOf(into))), ", "))
			return
		}
		f.section(into, keys, at)
	case kind == reflect.Slice:
		f.list(into, v, at)
	case kind == reflect.Map:
		f.mapping(into, v, at)
	default:
		f.scalar(into, v, at)
	}
}

func (f *filler) list(into reflect.Value, v any, at string) {
	items, ok := v.([]any)
	if !ok {
		f.note(at, "must be a list; an empty one is []")
		return
	}
	list := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, item := range items {
		f.set(list.Index(i), item, fmt.Sprintf("%s[%d]", at, i))
	}
	into.Set(list)
}

func (f *filler) mapping(into reflect.Value, v any, at string) {
	keys, ok := v.(map[string]any)
	if !ok || into.Type().Key().Kind() != reflect.String {
		f.note(at, "must be a section of keys and values")
		return
	}
	made := reflect.MakeMapWithSize(into.Type(), len(keys))
	for key, item := range keys {
		value := reflect.New(into.Type().Elem()).Elem()
		f.set(value, item, at+"."+key)
		made.SetMapIndex(reflect.ValueOf(key).Convert(into.Type().Key()), value)
	}
	into.Set(made)
}

func (f *filler) scalar(into reflect.Value, v any, at string) {
	switch v := v.(type) {
	case string:
		if into.Kind() == reflect.String {
			into.SetString(v)
			return
		}
	case bool:
		if into.Kind() == reflect.Bool {
			into.SetBool(v)
			return
		}
	case float64:
		if setNumber(into, v) {
			return
		}
	}
	f.note(at, "must be a %s that fits a Go %s", shapeOf(into.Kind()), into.Type())
}

// setNumber tells whether the number is one of the field's type.
func setNumber(into reflect.Value, v float64) bool {
	const exact = 1 << 53 // beyond it a float64 has no odd numbers
	whole := v == math.Trunc(v) && math.Abs(v) <= exact
	switch {
	case into.CanFloat():
		into.SetFloat(v)
	case into.CanInt() && whole && !into.OverflowInt(int64(v)):
		into.SetInt(int64(v))
	case into.CanUint() && whole && v >= 0 && !into.OverflowUint(uint64(v)):
		into.SetUint(uint64(v))
	default:
		return false
	}
	return true
}

func shapeOf(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "text (quote what looks like something else)"
	case reflect.Bool:
		return "true or false"
	}
	return "number"
}
