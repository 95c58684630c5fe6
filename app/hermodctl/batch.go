package hermodctl

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/game-im/hermod/app/hermodctl/batch"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// batchFlags are the flags of batch.
type batchFlags struct {
	msgType, title, content, data string
	store, json                   bool
	wait, ttl                     time.Duration
	key, failed                   string
	size, parallel                int
	gatewayFlags
}

func newBatch(s *streams) *cobra.Command {
	var f batchFlags
	cmd := &cobra.Command{
		Use:   "batch [FILE]",
		Short: "Push to the targets of a file, as a service does",
		Long: `batch pushes to every target of a file, or of its standard input, and prints how
many had which outcome. The input is CSV whose first line names its columns, or a
line of JSON for each target:

  openid,content                {"openid":"alice","content":"Hello Alice"}
  alice,Hello Alice             {"gid":7,"title":"News","content":"for all of gid 7"}
  bob,Hello Bob                 {"session":"01928f7e-…"}

openid, gid or session says who it is; type, title, content and data replace what
the flags say. Neighbours that are told the same share a call.

Interrupted, or with the node gone, batch tells how to go on: the same input with
the same --idempotency-key, within 24 hours, pushes to nobody twice. The exit code
is 0 only if every target was reached, or the push is kept for it.`,
		Example: `  hermodctl batch users.csv --type news --content "Maintenance at 10" --store --ttl 2h
  psql -Atc "select json_build_object('openid', id) from users" | hermodctl batch --content Hello
  hermodctl batch users.csv --content Hello --failed again.jsonl --idempotency-key hello-1
  hermodctl batch again.jsonl --content Hello`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := meant(cmd.Flags(), "idempotency-key", "ttl"); err != nil {
				return err
			}
			return runBatch(cmd.Context(), f, args, s)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.msgType, "type", "notice", "msg_type, for the client to tell pushes apart")
	flags.StringVar(&f.title, "title", "", "title")
	flags.StringVar(&f.content, "content", "", "text")
	flags.StringVar(&f.data, "data", "", "data; @FILE reads a file")
	flags.BoolVar(&f.store, "store", false, "keep it for users who are not connected")
	flags.DurationVar(&f.ttl, "ttl", 0, "how long it is worth to be delivered, such as 10m")
	flags.DurationVar(&f.wait, "wait", 0, "wait so long, 30s at most, for clients to acknowledge it")
	flags.StringVar(&f.key, "idempotency-key", "", "name of the batch, to repeat it under (default a new one)")
	flags.IntVar(&f.size, "size", 1000, "targets of one call, at most; the same for a repetition")
	flags.IntVar(&f.parallel, "parallel", 4, "calls at a time")
	flags.StringVar(&f.failed, "failed", "", "write a line of JSON for each target that was not reached to this `file`")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	f.register(flags, "how long to wait for the answer to one call, and for a node that is away")
	return cmd
}

func (f *batchFlags) check(args []string) error {
	switch {
	case len(args) > 1:
		return usagef("%d files; one is allowed, or none for the standard input", len(args))
	case f.wait < 0 || f.wait > 30*time.Second:
		return usagef("--wait %v is not possible; up to 30s is allowed", f.wait)
	case f.ttl < 0:
		return usagef("--ttl %v is not possible; a positive duration such as 10m is allowed", f.ttl)
	case f.size < 1 || f.size > 10_000:
		return usagef("--size %d is not possible; 1 to 10000 is allowed", f.size)
	case f.parallel < 1 || f.parallel > 64:
		return usagef("--parallel %d is not possible; 1 to 64 is allowed", f.parallel)
	case len(f.key) > 200:
		return usagef("--idempotency-key has %d bytes; at most 200 are allowed", len(f.key))
	case f.data == "@-":
		return usagef("--data @- is not possible: the standard input may have the targets")
	}
	return nil
}

func runBatch(ctx context.Context, f batchFlags, args []string, s *streams) error {
	if err := f.check(args); err != nil {
		return err
	}
	data, err := readData(f.data, s.in)
	if err != nil {
		return err
	}
	in, size, err := openInput(args, s.in)
	if err != nil {
		return err
	}
	defer in.Close()
	if f.overwrites(args, s.in) {
		return usagef("--failed %s is what the targets are read from, and would be emptied before they are; name another file", f.failed)
	}
	meter := &batch.Meter{In: in}
	records, err := batch.NewReader(meter, batch.Say{MsgType: f.msgType, Title: f.title, Content: f.content, Data: string(data)})
	if err != nil {
		return usagef("%v", err)
	}
	client, err := f.connect()
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // nothing is pending
	if f.key == "" {
		f.key = "batch-" + rand.Text()
	}
	note, closeFailed, err := f.noteFailures(s)
	if err != nil {
		return err
	}
	b := batch.New(client, batch.Config{
		Size: f.size, Parallel: f.parallel, Timeout: f.timeout + f.wait, Key: f.key, Options: f.options(), Failed: note,
	})
	stop := f.showBar(s, &batch.Bar{Out: s.err, Meter: meter, Size: size, Done: b.Done})
	start := time.Now()
	counts, err := b.Run(ctx, records)
	stop()
	return f.report(counts, time.Since(start), errors.Join(err, closeFailed()), s)
}

func (f *batchFlags) options() (opts []upstream.CallOption) {
	if f.store {
		opts = append(opts, upstream.StoreOffline())
	}
	if f.wait > 0 {
		opts = append(opts, upstream.WaitForAck(f.wait))
	}
	if f.ttl > 0 {
		opts = append(opts, upstream.TTL(f.ttl))
	}
	return opts
}

// openInput opens the file, or takes the standard input, whose size is 0.
func openInput(args []string, in io.Reader) (io.ReadCloser, int64, error) {
	if len(args) == 0 || args[0] == "-" {
		return io.NopCloser(in), 0, nil
	}
	file, err := os.Open(args[0])
	if err != nil {
		return nil, 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, file.Close())
	}
	return file, info.Size(), nil
}

// overwrites tells whether the targets come from the file that those are written to which are not reached.
func (f *batchFlags) overwrites(args []string, in io.Reader) bool {
	var from os.FileInfo
	err := os.ErrInvalid
	if len(args) > 0 && args[0] != "-" {
		from, err = os.Stat(args[0])
	} else if file, ok := in.(*os.File); ok {
		from, err = file.Stat()
	}
	if err != nil || f.failed == "" || !from.Mode().IsRegular() {
		return false
	}
	to, err := os.Stat(f.failed)
	return err == nil && os.SameFile(from, to)
}

// showBar shows the bar if somebody can see it.
func (f *batchFlags) showBar(s *streams, bar *batch.Bar) (stop func()) {
	if screen, ok := s.err.(*os.File); ok && term.IsTerminal(int(screen.Fd())) {
		return bar.Start()
	}
	return func() {}
}

// maxComplaints bounds how many lines that could not be read are shown.
const maxComplaints = 10

// noteFailures returns what writes down whom the batch has not reached, and what ends that.
func (f *batchFlags) noteFailures(s *streams) (note func(batch.Record, upstream.Status, error), end func() error, err error) {
	complaints := 0
	complain := func(err error) {
		if _, wrong := errors.AsType[*batch.LineError](err); wrong {
			if complaints++; complaints <= maxComplaints {
				fmt.Fprintln(s.err, err)
			}
		}
	}
	if f.failed == "" {
		return func(_ batch.Record, _ upstream.Status, err error) { complain(err) }, func() error { return nil }, nil
	}
	file, err := os.Create(f.failed)
	if err != nil {
		return nil, nil, err
	}
	buffered := bufio.NewWriter(file)
	lines := json.NewEncoder(buffered)
	lines.SetEscapeHTML(false)
	note = func(r batch.Record, status upstream.Status, err error) {
		complain(err)
		line := map[string]any{"line": r.Line, "outcome": status}
		if err != nil {
			line["error"] = err.Error()
		}
		if r.Target.Type != "" {
			line[r.Target.Type] = r.Target.ID
			f.sayOwn(r.Say, line)
		}
		_ = lines.Encode(line) // what cannot be written, Flush tells
	}
	return note, func() error { return errors.Join(buffered.Flush(), file.Close()) }, nil
}

// sayOwn adds what a record has of its own.
func (f *batchFlags) sayOwn(say batch.Say, line map[string]any) {
	for name, v := range map[string][2]string{
		"type": {say.MsgType, f.msgType}, "title": {say.Title, f.title}, "content": {say.Content, f.content},
	} {
		if v[0] != v[1] {
			line[name] = v[0]
		}
	}
	if say.Data != "" && f.data == "" {
		line["data"] = say.Data
	}
}

// report prints the summary. The error says how to go on, if that is of use.
func (f *batchFlags) report(counts batch.Counts, took time.Duration, err error, s *streams) error {
	if f.json {
		summary := struct {
			batch.Counts
			Seconds float64 `json:"seconds"`
			Key     string  `json:"idempotency_key"`
		}{counts, took.Seconds(), f.key}
		if err := writeJSON(s, summary); err != nil {
			return err
		}
	} else {
		counts.Print(s.out, took)
	}
	again := fmt.Sprintf("the same command with --idempotency-key %s goes on and pushes to nobody twice", f.key)
	missed := counts.Targets - counts.Reached()
	switch {
	case errors.Is(err, batch.ErrInterrupted):
		return fmt.Errorf("interrupted behind %d targets; %s", counts.Targets, again)
	case err != nil:
		return fmt.Errorf("ended behind %d targets: %w; %s", counts.Targets, describe(err, f.addr), again)
	case counts.Outcomes[upstream.Unknown] > 0:
		return fmt.Errorf("%d of %d targets were not reached, or nobody knows; %s", missed, counts.Targets, again)
	case missed > 0:
		return fmt.Errorf("%d of %d targets were not reached", missed, counts.Targets)
	}
	return nil
}
