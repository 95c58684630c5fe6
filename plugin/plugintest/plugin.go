package plugintest

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/game-im/hermod/plugin"
)

// Plugin checks the name and the keys of the plugins that fresh makes, and what they Renew to, before any of them starts.
func Plugin(t *testing.T, fresh func() plugin.Plugin) {
	t.Helper()
	if err := checkPlugin(fresh); err != nil {
		t.Error(err)
	}
}

func checkPlugin(fresh func() plugin.Plugin) error {
	p := fresh()
	name := p.Name()
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("the name is %q; lower case letters, digits and dashes make one, 64 bytes at most", name)
	}
	if again := fresh().Name(); again != name {
		return fmt.Errorf("the name is %q and then %q", name, again)
	}
	if v, ok := p.(plugin.Validator); ok { // whatever it says: with its defaults alone it may lack something
		if first, second := v.Validate(), v.Validate(); (first == nil) != (second == nil) {
			return fmt.Errorf("the method Validate says %q and then %q", fmt.Sprint(first), fmt.Sprint(second))
		}
	}
	if r, ok := p.(plugin.Renewable); ok {
		if next := r.Renew(); next == nil || next.Name() != name || reflect.TypeOf(next) != reflect.TypeOf(p) || sameValue(next, p) {
			return errors.New("Renew does not return another value of the plugin")
		}
	}
	c, ok := p.(plugin.Configurable)
	if !ok {
		return nil
	}
	v := reflect.ValueOf(c.Config())
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return errors.New("Config returns no pointer to a struct")
	}
	return checkKeys(v.Elem().Type(), "")
}

// sameValue tells whether two are one, as far as that can be told.
func sameValue(a, b plugin.Plugin) bool {
	v := reflect.ValueOf(a)
	return v.Kind() == reflect.Pointer && v.Elem().Type().Size() > 0 && v.Pointer() == reflect.ValueOf(b).Pointer()
}

func checkKeys(s reflect.Type, at string) error {
	for i := range s.NumField() {
		f := s.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case key == "-" || !f.IsExported():
			continue
		case key == "":
			return fmt.Errorf("the field %s%s has no json tag, and so no key", at, f.Name)
		}
		if err := checkKey(f.Type, at+key); err != nil {
			return err
		}
	}
	return nil
}

func checkKey(of reflect.Type, at string) error {
	switch of.Kind() {
	case reflect.Struct:
		return checkKeys(of, at+".")
	case reflect.Slice:
		return checkKey(of.Elem(), at+"[]")
	case reflect.Map:
		if of.Key().Kind() != reflect.String {
			return fmt.Errorf("the keys of %s are no texts", at)
		}
		return checkKey(of.Elem(), at+".*")
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
	}
	return fmt.Errorf("%s is a %s, which a configuration cannot have", at, of)
}
