package batch

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/game-im/hermod/sdk/upstream"
)

// Record is one target, with what it is told.
type Record struct {
	Line   int // in the input, from 1
	Target upstream.Target
	Say    Say
}

// Say is what is pushed. It can be compared, so that records that say the same can share a call.
type Say struct{ MsgType, Title, Content, Data string }

// LineError is a line that is no record.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with it.
func (e *LineError) Unwrap() error { return e.Err }

// Reader reads records: lines of JSON, or CSV whose first line names the columns. Both have the names
// openid, gid and session, one of which says who the target is, and type, title, content and data, which
// replace what all records have in common. Other names of JSON are passed over, so that a list of what
// failed can be read again.
type Reader struct {
	common Say
	next   func() (map[string]string, int, error)
}

// columns are the names that a record may have.
var columns = []string{"openid", "gid", "session", "type", "title", "content", "data"}

// maxLine bounds a line of JSON: a push of 1 MiB, escaped.
const maxLine = 8 << 20

// NewReader returns a Reader. The first byte tells the format: JSON begins with a brace.
func NewReader(in io.Reader, common Say) (*Reader, error) {
	b := bufio.NewReader(in)
	if mark, err := b.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = b.Discard(3) // what spreadsheets put before their text; it was peeked
	}
	first, err := b.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		return &Reader{next: func() (map[string]string, int, error) { return nil, 0, io.EOF }}, nil
	case err != nil:
		return nil, err
	case first[0] == '{':
		return &Reader{common, jsonLines(b)}, nil
	}
	next, err := csvLines(b)
	return &Reader{common, next}, err
}

// Next returns the next record, io.EOF behind the last one, and a *LineError for a line that is none, after
// which reading goes on. Any other error is of the input.
func (r *Reader) Next() (Record, error) {
	fields, line, err := r.next()
	if err != nil {
		return Record{}, err
	}
	record := Record{Line: line, Say: r.common}
	if record.Target, err = target(fields); err != nil {
		return Record{}, &LineError{line, err}
	}
	for name, into := range map[string]*string{
		"type": &record.Say.MsgType, "title": &record.Say.Title, "content": &record.Say.Content, "data": &record.Say.Data,
	} {
		if v, ok := fields[name]; ok && v != "" {
			*into = v
		}
	}
	return record, nil
}

func target(fields map[string]string) (upstream.Target, error) {
	var named []upstream.Target
	for _, kind := range columns[:3] {
		if id := fields[kind]; id != "" {
			named = append(named, upstream.Target{Type: kind, ID: id})
		}
	}
	if len(named) != 1 {
		return upstream.Target{}, fmt.Errorf("%d targets; one of openid, gid and session is required", len(named))
	}
	if named[0].Type == "gid" {
		if _, err := strconv.ParseInt(named[0].ID, 10, 64); err != nil {
			return upstream.Target{}, fmt.Errorf("gid %.64q is not a whole number of 64 bits", named[0].ID)
		}
	}
	return named[0], nil
}

func jsonLines(in io.Reader) func() (map[string]string, int, error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	line := 0
	return func() (map[string]string, int, error) {
		for lines.Scan() {
			line++
			text := bytes.TrimSpace(lines.Bytes())
			if len(text) == 0 {
				continue
			}
			fields, err := jsonFields(text)
			if err != nil {
				return nil, line, &LineError{line, err}
			}
			return fields, line, nil
		}
		if err := lines.Err(); err != nil {
			return nil, line, fmt.Errorf("behind line %d: %w", line, err)
		}
		return nil, line, io.EOF
	}
}

// jsonFields returns the known fields of an object. A gid may be a number.
func jsonFields(text []byte) (map[string]string, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, errors.New("not a JSON object")
	}
	fields := make(map[string]string, len(object))
	for name, raw := range object {
		if !slices.Contains(columns, name) {
			continue
		}
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			var n int64
			if name != "gid" || json.Unmarshal(raw, &n) != nil {
				return nil, fmt.Errorf("%s is not a text", name)
			}
			s = strconv.FormatInt(n, 10)
		}
		fields[name] = s
	}
	return fields, nil
}

func csvLines(in io.Reader) (func() (map[string]string, int, error), error) {
	rows := csv.NewReader(in)
	rows.TrimLeadingSpace = true
	head, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("the first line of CSV names the columns: %w", err)
	}
	for _, name := range head {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("line 1 names a column %.64q; openid, gid, session, type, title, content and data are allowed (or give lines of JSON)", name)
		}
	}
	return func() (map[string]string, int, error) {
		row, err := rows.Read()
		var wrong *csv.ParseError
		switch {
		case errors.As(err, &wrong):
			return nil, wrong.StartLine, &LineError{wrong.StartLine, wrong.Err}
		case err != nil:
			return nil, 0, err
		}
		line, _ := rows.FieldPos(0)
		fields := make(map[string]string, len(row))
		for i, v := range row {
			fields[head[i]] = v
		}
		return fields, line, nil
	}, nil
}
