package discovery

import (
	"maps"
	"reflect"
	"testing"

	"github.com/nacos-group/nacos-sdk-go/v2/model"
)

func TestFromNacos(t *testing.T) {
	t.Parallel()
	own := &ServiceInfo{
		ID: "a", Name: "im-service", Address: "10.0.0.1", Port: 8083, Tags: []string{"x", "y"},
		Metadata: map[string]string{"weight": "3", "zone": "1"}, Health: HealthHealthy,
	}
	instance := func(change func(*model.Instance)) model.Instance {
		i := model.Instance{
			InstanceId: "10.0.0.1#8083", Ip: "10.0.0.1", Port: 8083, Weight: 3, Healthy: true, Enable: true,
			Metadata: map[string]string{"weight": "3", "zone": "1"},
		}
		change(&i)
		return i
	}
	want := func(change func(*ServiceInfo)) *ServiceInfo {
		s := own.Clone()
		s.ID, s.Tags = "10.0.0.1#8083", nil
		change(s)
		return s
	}
	tests := []struct {
		name string
		in   model.Instance
		want *ServiceInfo
	}{
		{"registered here", instance(func(i *model.Instance) { i.Metadata = toNacosMetadata(own) }), own},
		{"registered by others", instance(func(*model.Instance) {}), want(func(*ServiceInfo) {})},
		{"no ID", instance(func(i *model.Instance) { i.InstanceId = "" }), want(func(s *ServiceInfo) { s.ID = "10.0.0.1:8083" })},
		{"another weight", instance(func(i *model.Instance) { i.Weight = 0.12345 }), want(func(s *ServiceInfo) { s.Metadata["weight"] = "0.123" })},
		{"a tiny weight", instance(func(i *model.Instance) { i.Weight = 1e-9 }), want(func(s *ServiceInfo) { s.Metadata["weight"] = "0.001" })},
		{"no metadata", instance(func(i *model.Instance) { i.Metadata = nil }), want(func(s *ServiceInfo) { s.Metadata = map[string]string{"weight": "3"} })},
		{"no weight", instance(func(i *model.Instance) { i.Weight = 0 }), want(func(s *ServiceInfo) { s.Health = HealthUnhealthy })},
		{"disabled", instance(func(i *model.Instance) { i.Enable = false }), want(func(s *ServiceInfo) { s.Health = HealthUnhealthy })},
		{"not healthy", instance(func(i *model.Instance) { i.Healthy = false }), want(func(s *ServiceInfo) { s.Health = HealthUnhealthy })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := maps.Clone(tt.in.Metadata)
			got := fromNacos("im-service", []model.Instance{tt.in})
			if len(got) != 1 || !reflect.DeepEqual(got[0], tt.want) {
				t.Errorf("got %+v, want %+v", got[0], tt.want)
			}
			if !maps.Equal(before, tt.in.Metadata) {
				t.Error("the SDK's own metadata were changed")
			}
		})
	}
}
