package server

import (
	"net/http/httptest"
	"testing"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		allowed []string
		origin  string
		ok      bool
	}{
		{nil, "", true},
		{nil, "http://chat.example.com:8080", true},
		{nil, "https://CHAT.example.com:8080", true},
		{nil, "http://chat.example.com", false},
		{nil, "http://evil.example", false},
		{nil, "null", false},
		{nil, "http://chat.example.com:8080.evil.example", false},
		{[]string{"*"}, "null", true},
		{[]string{"*"}, "http://evil.example", true},
		{[]string{"https://a.example"}, "https://a.example", true},
		{[]string{"https://A.example"}, "https://a.EXAMPLE", true},
		{[]string{"https://a.example"}, "http://a.example", false},
		{[]string{"https://a.example"}, "https://a.example:444", false},
		{[]string{"https://a.example"}, "https://b.a.example", false},
		{[]string{"https://*.a.example"}, "https://b.a.example", true},
		{[]string{"https://*.a.example"}, "https://c.b.a.example", true},
		{[]string{"https://*.a.example"}, "https://a.example", false},
		{[]string{"https://*.a.example"}, "https://evila.example", false},
		{[]string{"https://*.a.example"}, "https://b.a.example.evil", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://chat.example.com:8080/im", nil)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		if got := origins(test.allowed).allow(r); got != test.ok {
			t.Errorf("%q with %q allowed: %v", test.origin, test.allowed, got)
		}
	}
}
