package chart_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/game-im/hermod/test/deploy/chart"
)

var valueRow = regexp.MustCompile("(?m)^\\| `([a-z][A-Za-z.]*)` \\| `([^`]*)` \\|")

// TestValuesAreDocumented holds the table of docs/deployment.md against values.yaml.
func TestValuesAreDocumented(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(filepath.Join(chart.Folder, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.UnmarshalStrict(content, &values); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	leaves("", values, want)
	page, err := os.ReadFile("../../../docs/deployment.md")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, match := range valueRow.FindAllSubmatch(page, -1) {
		var value any
		if err := yaml.Unmarshal(match[2], &value); err != nil {
			t.Errorf("%s: %v", match[0], err)
		}
		got[string(match[1])] = value
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if _, ok := got[key]; !ok || !reflect.DeepEqual(got[key], want[key]) {
			t.Errorf("%s: values.yaml has %v, the table %v", key, want[key], got[key])
		}
		delete(got, key)
	}
	for key := range got {
		t.Errorf("%s is in the table and not in values.yaml", key)
	}
}

// leaves are the values as the table has them: resources, and what is empty, as a whole.
func leaves(prefix string, values, into map[string]any) {
	for key, value := range values {
		below, ok := value.(map[string]any)
		if ok && len(below) > 0 && key != "resources" {
			leaves(prefix+key+".", below, into)
			continue
		}
		into[prefix+key] = value
	}
}
