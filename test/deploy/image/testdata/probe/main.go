// Probe says what a program sees from inside the image, as JSON.
package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	report := map[string]any{
		"uid": os.Getuid(), "gid": os.Getgid(), "capabilities": capabilities(),
		"summer": zone("Europe/Berlin", time.July), "winter": zone("Europe/Berlin", time.January),
	}
	writable := []string{}
	for _, dir := range []string{"/", "/data", "/etc", "/etc/ssl/certs", "/tmp", "/usr/share"} {
		if os.WriteFile(filepath.Join(dir, "probe.txt"), []byte("x"), 0o600) == nil {
			writable = append(writable, dir)
		}
	}
	report["writable"] = writable
	report["dir"], _ = os.Getwd() // empty says enough
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		os.Exit(1)
	}
}

// zone is the offset from UTC in a month, or what went wrong.
func zone(name string, month time.Month) string {
	location, err := time.LoadLocation(name)
	if err != nil {
		return err.Error()
	}
	return time.Date(2026, month, 1, 0, 0, 0, 0, location).Format("-07:00 MST")
}

// capabilities are those that the process could use.
func capabilities() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "not said"
}
