package doctor

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
)

const (
	// manyFiles is what a node for many clients should have: each connection is an open file.
	manyFiles = 65536
	fewFiles  = 1024
	// mostSkew is how far two clocks may differ before tokens and lifetimes are judged differently.
	mostSkew = 2 * time.Second
	// clockSample is how long the clocks are watched.
	clockSample = 100 * time.Millisecond
)

// earliest is before every release of this program.
var earliest = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

const clockAdvice = "have the clock of this machine set by NTP (timedatectl shows whether it is)"

// clock compares the wall clock with the monotonic one, with the calendar, and with that of the file
// system, which may be another machine's.
func clock(ctx context.Context, c *conf.Config) []Finding {
	begun := time.Now()
	if begun.Before(earliest) {
		return []Finding{failure("the clock says "+begun.Format(time.RFC3339)+", which is in the past", clockAdvice)}
	}
	select {
	case <-time.After(clockSample):
	case <-ctx.Done():
	}
	elapsed, wall := time.Since(begun), time.Now().Round(0).Sub(begun.Round(0))
	findings := []Finding{ok("the clock says " + begun.UTC().Format(time.RFC3339) + " and goes on steadily")}
	if jump := (wall - elapsed).Abs(); jump > clockSample/2 {
		findings[0] = warning(fmt.Sprintf("the clock jumped by %s within %s", jump, elapsed.Round(time.Millisecond)), clockAdvice)
	}
	if skew, known := fileSystemSkew(c.GetData().GetDir()); known && skew.Abs() > mostSkew {
		findings = append(findings, warning(fmt.Sprintf("the file system of data.dir differs by %s from this machine's clock", skew.Round(time.Millisecond)),
			"have both machines set by the same NTP servers"))
	}
	if theirs, known := registry.Clock(ctx, c.GetRegistry()); known {
		// It says whole seconds, and took a moment to say them.
		if skew := time.Until(theirs).Round(time.Second); skew.Abs() > mostSkew+time.Second {
			findings = append(findings, warning(fmt.Sprintf("the clock of the registry differs by %s from this machine's", skew),
				"have both machines set by the same NTP servers"))
		}
	}
	return findings
}

// fileSystemSkew is how far the clock that stamps files is ahead of this machine's.
func fileSystemSkew(dir string) (skew time.Duration, known bool) {
	at, _ := existing(dir)
	f, err := os.CreateTemp(at, ".hermodctl-")
	if err != nil {
		return 0, false // another check says why
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it was made a moment ago
	defer f.Close()           //nolint:errcheck // nothing was written
	info, err := f.Stat()
	if err != nil {
		return 0, false
	}
	return time.Until(info.ModTime()), true
}

func openFiles(context.Context, *conf.Config) []Finding {
	most, known := maxFiles()
	text := fmt.Sprintf("a process may have %d files open, and each client needs one", most)
	const advice = "raise the limit: LimitNOFILE=1048576 for systemd, --ulimit nofile=1048576 for containers, ulimit -n in a shell"
	switch {
	case !known:
		return []Finding{ok("how many files may be open is not known on this system")}
	case most < fewFiles:
		return []Finding{failure(text, advice)}
	case most < manyFiles:
		return []Finding{warning(text, advice)}
	}
	return []Finding{ok(text)}
}
