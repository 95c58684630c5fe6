package hermod

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	klog "github.com/go-kratos/kratos/v2/log"

	"github.com/game-im/hermod/internal/conf"
)

// newLogger returns the node's logger and the level that it follows, and makes Kratos' own log go
// there too. It holds nobody up whose log is not taken.
func newLogger(c *conf.Log, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(logLevel(c))
	log := logTo(&patient{to: w, tell: func(lost int) []byte {
		var line bytes.Buffer
		logTo(&line, c, level).Error("lines of the log are missing here, since nobody took them", "lines", lost)
		return line.Bytes()
	}}, c, level)
	kratosLog.to.Store(log)
	followKratos()
	return log, level
}

func logTo(w io.Writer, c *conf.Log, level slog.Leveler) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if c.GetFormat() == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func logLevel(c *conf.Log) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.GetLevel())); err != nil {
		level = slog.LevelInfo // cannot be: conf.Validate lets only known levels through
	}
	return level
}

// kratosLog is where Kratos logs, which has one logger for the whole process and lets nobody change it while
// it is read. Of several nodes in one process, as tests have them, the one that started last has it.
var (
	kratosLog    kratosLogger
	followKratos = sync.OnceFunc(func() { klog.SetLogger(&kratosLog) })
)

// kratosLogger writes Kratos' log through slog. What Kratos tells of its own life is for debugging.
type kratosLogger struct{ to atomic.Pointer[slog.Logger] }

// Log implements klog.Logger.
func (k *kratosLogger) Log(level klog.Level, keyvals ...any) error {
	text := ""
	attrs := make([]slog.Attr, 0, len(keyvals)/2)
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, value := fmt.Sprint(keyvals[i]), keyvals[i+1]
		if key == klog.DefaultMessageKey {
			text = fmt.Sprint(value)
			continue
		}
		attrs = append(attrs, slog.Any(key, value))
	}
	k.to.Load().LogAttrs(context.Background(), kratosLevel(level), text, attrs...)
	return nil
}

func kratosLevel(l klog.Level) slog.Level {
	switch {
	case l <= klog.LevelInfo:
		return slog.LevelDebug
	case l == klog.LevelWarn:
		return slog.LevelWarn
	}
	return slog.LevelError
}
