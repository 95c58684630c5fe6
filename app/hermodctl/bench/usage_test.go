package bench

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const stat = "17 (a ) b) S 1 17 17 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 1 0 1 1 1"
	got, err := parseStat(stat)
	if want := 3 * time.Second; err != nil || got != want {
		t.Errorf("got %v and error %v, want %v", got, err, want)
	}
	if _, err := parseStat("17 (a) S 1"); err == nil {
		t.Error("a short line passed")
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	got, err := parseStatus([]byte("Name:\thermod\nVmRSS:\t    2048 kB\nThreads:\t9\n"))
	if want := int64(2 << 20); err != nil || got != want {
		t.Errorf("got %d and error %v, want %d", got, err, want)
	}
	if _, err := parseStatus([]byte("Name:\thermod\n")); err == nil {
		t.Error("a status without VmRSS passed")
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	page := "# HELP process_cpu_seconds_total x\nprocess_cpu_seconds_total 1.25\ngo_threads 7\nprocess_resident_memory_bytes 6.5e+07\n"
	got, err := parseMetrics(strings.NewReader(page))
	if want := (Usage{CPU: 1250 * time.Millisecond, RSS: 65_000_000}); err != nil || got != want {
		t.Errorf("%+v and error %v, want %+v", got, err, want)
	}
	for _, page := range []string{"", "process_cpu_seconds_total 1\n", "process_cpu_seconds_total many\nprocess_resident_memory_bytes 1\n"} {
		if _, err := parseMetrics(strings.NewReader(page)); err == nil {
			t.Errorf("%q passed", page)
		}
	}
}

func TestMetersRead(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte("process_cpu_seconds_total 2\nprocess_resident_memory_bytes 4096\n"))
	}))
	defer srv.Close()
	u, err := Metrics{URL: srv.URL + "/metrics"}.Read(t.Context())
	if want := (Usage{CPU: 2 * time.Second, RSS: 4096}); err != nil || u != want {
		t.Errorf("%+v and error %v, want %+v", u, err, want)
	}
	if _, err := (Metrics{URL: srv.URL}).Read(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a page that is not there: %v", err)
	}
	if u, err := Process(os.Getpid()).Read(t.Context()); err != nil || u.RSS <= 0 {
		t.Errorf("this process: %+v and error %v", u, err)
	}
}
