package discovery

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

func TestNewStaticDiscovery(t *testing.T) {
	t.Parallel()
	one := &ServiceInfo{Name: "im-service", Address: "10.0.0.1", Port: 8083}
	two := &ServiceInfo{Name: "im-service", Address: "10.0.0.2", Port: 8083, Tags: []string{"tag"}}
	other := &ServiceInfo{Name: "gateway", Address: "10.0.0.3"}
	d, err := NewStaticDiscovery(two, one, other)
	if err != nil {
		t.Fatal(err)
	}
	two.Tags[0] = "changed"
	found, err := d.Discover(t.Context(), "im-service")
	if err != nil || len(found) != 2 {
		t.Fatalf("found %v (%v), want two", found, err)
	}
	if found[0].ID != "10.0.0.2:8083" || found[1].ID != "10.0.0.1:8083" || found[0].Tags[0] != "tag" {
		t.Errorf("found %+v and %+v, want both in the order given and as they were", found[0], found[1])
	}
	for name, services := range map[string][]*ServiceInfo{
		"given twice": {one, one}, "is nil": {nil}, "no Name": {{Address: "10.0.0.1"}}, `weight "0"`: weights("0"),
	} {
		if _, err := NewStaticDiscovery(services...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q in it", err, name)
		}
	}
}

// An instance that takes another name leaves the service of the old one.
func TestStaticDiscoveryRename(t *testing.T) {
	t.Parallel()
	d, err := NewStaticDiscovery(&ServiceInfo{ID: "a", Name: "old", Address: "10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	before, err := d.Watch(t.Context(), "old")
	if err != nil {
		t.Fatal(err)
	}
	<-before
	if err := d.Register(t.Context(), &ServiceInfo{ID: "a", Name: "new", Address: "10.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	if list := <-before; len(list) != 0 {
		t.Errorf("the old service has %v", list)
	}
	if list, err := d.Discover(t.Context(), "new"); err != nil || len(list) != 1 {
		t.Errorf("the new service has %v (%v)", list, err)
	}
}

// To register again what is registered, as those do who renew it, is no change.
func TestStaticDiscoveryTellsOnlyOfChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, err := NewStaticDiscovery(weights("1")...)
		if err != nil {
			t.Fatal(err)
		}
		lists, err := d.Watch(t.Context(), "im-service")
		if err != nil {
			t.Fatal(err)
		}
		<-lists
		if err := d.Register(t.Context(), weights("1")[0]); err != nil {
			t.Fatal(err)
		}
		if err := d.Deregister(t.Context(), "unknown"); err != nil {
			t.Fatal(err)
		}
		select {
		case list := <-lists:
			t.Errorf("sent %v although nothing changed", list)
		default:
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Discover(t.Context(), "im-service"); !errors.Is(err, ErrClosed) {
			t.Errorf("Discover: %v, want ErrClosed", err)
		}
	})
}
