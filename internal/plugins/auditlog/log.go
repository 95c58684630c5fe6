// Package auditlog is the plugin audit-log: it writes who connected, joined, left and said what kind of thing, and what
// other plugins refused, into a file, a JSON object in each line, that is rotated.
//
// A Log is safe for concurrent use.
package auditlog

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/plugin"
)

// Keys are what the configuration sets.
type Keys struct {
	File     string   `json:"file"`
	MaxMiB   int      `json:"max_mib"`   // of the file, until it is rotated
	MaxFiles int      `json:"max_files"` // older ones that are kept
	MaxDays  int      `json:"max_days"`  // for how long; 0: however old
	Compress bool     `json:"compress"`
	Content  bool     `json:"content"` // of messages is written as well
	Events   []string `json:"events"`  // which are written
}

// What may be written.
var kinds = map[string]bool{"session": true, "room": true, "message": true, "refusal": true}

// Log is the plugin. The zero Log is not ready: see New.
type Log struct {
	keys  Keys
	files *files // of all values that were renewed from one
	out   *slog.Logger
	on    map[string]bool
}

// New returns the plugin with its defaults.
func New() *Log {
	return &Log{files: &files{open: map[fileKeys]*file{}}, keys: Keys{MaxMiB: 100, MaxFiles: 10, Events: []string{"session", "room", "message", "refusal"}}}
}

// Name implements plugin.Plugin.
func (*Log) Name() string { return "audit-log" }

// Renew implements plugin.Renewable. Both values write the same file, if that is what their keys say.
func (l *Log) Renew() plugin.Plugin {
	next := New()
	next.files = l.files
	return next
}

// Config implements plugin.Configurable.
func (l *Log) Config() any { return &l.keys }

// Validate implements plugin.Validator.
func (l *Log) Validate() error {
	k := &l.keys
	if k.File == "" {
		return errors.New("file is empty; it names the file that is written")
	}
	if k.MaxMiB < 1 || k.MaxMiB > 100_000 {
		return fmt.Errorf("max_mib is %d; 1 to 100000 is allowed", k.MaxMiB)
	}
	if k.MaxFiles < 1 || k.MaxFiles > 10_000 {
		return fmt.Errorf("max_files is %d; 1 to 10000 is allowed", k.MaxFiles)
	}
	if k.MaxDays < 0 || k.MaxDays > 36_500 {
		return fmt.Errorf("max_days is %d; 0 (however old) to 36500 is allowed", k.MaxDays)
	}
	for i, e := range k.Events {
		if !kinds[e] {
			return fmt.Errorf("events[%d] is %q; message, refusal, room and session are allowed", i, e)
		}
	}
	return nil
}

// Start implements plugin.Starter. It opens the file, so that one that cannot be written is found out now.
func (l *Log) Start(context.Context) error {
	if err := os.MkdirAll(filepath.Dir(l.keys.File), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(l.keys.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	l.out = slog.New(slog.NewJSONHandler(l.files.take(l.file()), &slog.HandlerOptions{ReplaceAttr: plain}))
	l.on = map[string]bool{}
	for _, e := range l.keys.Events {
		l.on[e] = true
	}
	return nil
}

// Stop implements plugin.Stopper.
func (l *Log) Stop(context.Context) error { return l.files.leave(l.file()) }

func (l *Log) file() fileKeys {
	k := &l.keys
	return fileKeys{name: k.File, maxMiB: k.MaxMiB, maxFiles: k.MaxFiles, maxDays: k.MaxDays, compress: k.Compress}
}

// plain leaves out the level, and calls the message an event.
func plain(groups []string, a slog.Attr) slog.Attr {
	switch {
	case len(groups) == 0 && a.Key == slog.LevelKey:
		return slog.Attr{}
	case len(groups) == 0 && a.Key == slog.MessageKey:
		a.Key = "event"
	}
	return a
}

// write writes a line. That it could not is the plugin's failure, which the node counts and logs.
func (l *Log) write(ctx context.Context, kind, what string, at time.Time, attrs ...slog.Attr) error {
	if !l.on[kind] {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r := slog.NewRecord(at, slog.LevelInfo, what, 0)
	r.AddAttrs(attrs...)
	return l.out.Handler().Handle(ctx, r)
}

// ObserveSession implements plugin.SessionObserver.
func (l *Log) ObserveSession(ctx context.Context, e plugin.SessionEvent) error {
	attrs := []slog.Attr{
		slog.String("session", e.SessionID), slog.String("user", e.UserID), slog.String("device", e.DeviceID), slog.String("protocol", e.Protocol),
		slog.String("transport", e.Transport), slog.String("address", e.Address),
	}
	if e.Code != 0 {
		attrs = append(attrs, slog.Int("code", e.Code), slog.String("reason", e.Reason))
	}
	return l.write(ctx, "session", "session "+e.Kind.String(), e.Time, attrs...)
}

// ObserveRoom implements plugin.RoomObserver.
func (l *Log) ObserveRoom(ctx context.Context, e plugin.RoomEvent) error {
	attrs := []slog.Attr{slog.String("room", e.RoomID), slog.String("user", e.UserID)}
	if e.Role != "" {
		attrs = append(attrs, slog.String("role", e.Role))
	}
	return l.write(ctx, "room", "room "+e.Kind.String(), e.Time, attrs...)
}

var types = map[plugin.MessageType]string{plugin.Text: "text", plugin.Recording: "recording", plugin.RichText: "rich_text", plugin.System: "system"}

// ObserveMessage implements plugin.MessageObserver.
func (l *Log) ObserveMessage(ctx context.Context, m plugin.Message) error {
	attrs := []slog.Attr{slog.String("room", m.RoomID), slog.String("user", m.UserID), slog.String("message", m.ID), slog.Int64("seq", m.Seq)}
	return l.write(ctx, "message", "message", m.Time, append(attrs, l.said(m)...)...)
}

// said is what is written of what somebody says.
func (l *Log) said(m plugin.Message) []slog.Attr {
	attrs := []slog.Attr{slog.String("type", types[m.Type]), slog.Int("bytes", len(m.Content))}
	switch {
	case l.keys.Content && utf8.Valid(m.Content):
		attrs = append(attrs, slog.String("content", string(m.Content)))
	case l.keys.Content:
		attrs = append(attrs, slog.String("content_base64", base64.StdEncoding.EncodeToString(m.Content)))
	}
	return attrs
}

var targets = map[plugin.TargetKind]string{plugin.Everybody: "everybody", plugin.Session: "session", plugin.User: "user", plugin.Group: "group"}

// ObserveRefusal implements plugin.RefusalObserver.
func (l *Log) ObserveRefusal(ctx context.Context, r plugin.Refusal) error {
	a := r.Access
	attrs := []slog.Attr{slog.String("plugin", r.Plugin), slog.String("reason", r.Reason), slog.String("by", a.By), slog.String("service", a.Subject)}
	if a.Kind == plugin.Push {
		attrs = append(attrs, slog.String("target", targets[a.Target.Kind]), slog.String("target_id", a.Target.ID))
	} else {
		attrs = append(attrs, slog.String("room", a.RoomID), slog.String("user", a.UserID))
	}
	if a.Kind == plugin.Send {
		attrs = append(attrs, l.said(r.Message)...)
	}
	return l.write(ctx, "refusal", "refused "+a.Kind.String(), r.Time, attrs...)
}
