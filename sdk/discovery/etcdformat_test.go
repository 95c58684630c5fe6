package discovery

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestFromEtcd(t *testing.T) {
	t.Parallel()
	own := &ServiceInfo{
		ID: "a", Name: "im-service", Address: "10.0.0.1", Port: 8083,
		Tags: []string{"x"}, Metadata: map[string]string{"weight": "3"}, Health: HealthHealthy,
	}
	written, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, value string
		want        *ServiceInfo // nil: refused
	}{
		{"as it is written here", string(written), own},
		{"as Kratos writes it", `{"id":"a","name":"im-service","version":"v1","metadata":{"kind":"grpc"},"endpoints":["http://10.0.0.1:80","grpc://10.0.0.1:8083?isSecure=false"]}`,
			&ServiceInfo{ID: "a", Name: "im-service", Address: "10.0.0.1", Port: 8083, Metadata: map[string]string{"kind": "grpc"}}},
		{"IPv6", `{"id":"a","endpoints":["grpc://[::1]:8083"]}`, &ServiceInfo{ID: "a", Name: "im-service", Address: "::1", Port: 8083}},
		{"no ID", `{"Address":"10.0.0.1","Port":8083}`, &ServiceInfo{ID: "key", Name: "im-service", Address: "10.0.0.1", Port: 8083}},
		{"no endpoint for gRPC", `{"id":"a","endpoints":["http://10.0.0.1:80"]}`, nil},
		{"no port", `{"id":"a","endpoints":["grpc://10.0.0.1"]}`, nil},
		{"port", `{"id":"a","endpoints":["grpc://10.0.0.1:70000"]}`, nil},
		{"nothing", `{}`, nil},
		{"no JSON", `10.0.0.1:8083`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := fromEtcd("im-service", "/services/im-service/key", []byte(tt.value))
			if tt.want == nil && err == nil || tt.want != nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v and error %v, want %+v", got, err, tt.want)
			}
		})
	}
}

// Whatever stands in etcd, it is an instance that can be connected to or none.
func FuzzFromEtcd(f *testing.F) {
	f.Add(`{"id":"a","endpoints":["grpc://[::1]:8083"]}`)
	f.Add(`{"ID":"a","Address":"10.0.0.1","Port":8083,"Tags":["x"]}`)
	f.Fuzz(func(t *testing.T, value string) {
		s, err := fromEtcd("im-service", "/services/im-service/key", []byte(value))
		if err == nil && (s.ID == "" || s.Name != "im-service" || s.Address == "" || s.Port < 0 || s.Port > 65535) {
			t.Errorf("%q became %+v", value, s)
		}
	})
}
