package hermodctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
	"github.com/spf13/cobra"
)

// pushFlags are the flags of push.
type pushFlags struct {
	openid, gid, session string
	all, demo            bool

	msgType, title, content, data string
	store                         bool
	wait                          time.Duration
	key                           string

	ttl  time.Duration
	rate int

	gatewayFlags
}

func newPush(s *streams) *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:   "push (--openid ID | --gid N | --session ID | --all | --demo)",
		Short: "Push to a user, a session or everybody, as a service does",
		Long: `push sends something to connected clients through the gateway's GatewayService
and prints what became of it. A user who is not connected is an error, unless
--store keeps the push for him.

Delivered means that the push was queued for a connected session. With --wait
it means that a client has acknowledged it. With --idempotency-key the same
command may be repeated: it takes effect once in 24 hours.

The exit code is 0 only if the push was delivered, or kept; with --demo, which
makes every kind of call once, if the gateway has answered them all.`,
		Example: `  # to all sessions of a user
  hermodctl push --openid alice --title "Mail" --content "You have mail"
  # kept when she is away
  hermodctl push --openid alice --type mail --content "You have mail" --store
  # data from a file, to everybody who is connected
  hermodctl push --all --type news --data @news.json
  # wait until she has it, and be safe to repeat
  hermodctl push --openid alice --content "Pay day" --wait 5s --idempotency-key pay-2024-05
  # to everybody, 500 sessions a second, for whoever is there within the hour
  hermodctl push --all --type news --content "Maintenance at 10" --rate 500 --ttl 1h
  # every kind of call, to see what they answer
  hermodctl push --demo`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := meant(cmd.Flags(), "idempotency-key", "ttl", "rate"); err != nil {
				return err
			}
			return runPush(cmd.Context(), f, s)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.openid, "openid", "", "user to push to")
	flags.StringVar(&f.gid, "gid", "", "gid to push to, a number")
	flags.StringVar(&f.session, "session", "", "session to push to")
	flags.BoolVar(&f.all, "all", false, "push to every connected session")
	flags.BoolVar(&f.demo, "demo", false, "make every kind of call once, to made-up targets and everybody")
	flags.StringVar(&f.msgType, "type", "notice", "msg_type, for the client to tell pushes apart")
	flags.StringVar(&f.title, "title", "", "title")
	flags.StringVar(&f.content, "content", "", "text")
	flags.StringVar(&f.data, "data", "", "data; @FILE reads a file, @- the standard input")
	flags.BoolVar(&f.store, "store", false, "keep it for a user who is not connected")
	flags.DurationVar(&f.wait, "wait", 0, "wait so long, 30s at most, for a client to acknowledge it")
	flags.StringVar(&f.key, "idempotency-key", "", "let the command take effect once, however often it is repeated")
	flags.DurationVar(&f.ttl, "ttl", 0, "how long it is worth to be delivered, such as 10m")
	flags.IntVar(&f.rate, "rate", 0, "with --all: sessions a second, and show how far it is")
	f.register(flags, "how long to wait for the outcome")
	return cmd
}

func runPush(ctx context.Context, f pushFlags, s *streams) error {
	target, err := f.target()
	if err != nil {
		return err
	}
	client, err := f.connect()
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // nothing is pending
	data, err := readData(f.data, s.in)
	if err != nil {
		return err
	}
	if f.rate > 0 {
		return f.pace(ctx, client, data, s.out)
	}
	ctx, done := context.WithTimeout(ctx, f.timeout+f.wait)
	defer done()
	switch {
	case f.demo:
		return f.tour(ctx, client, s.out)
	case f.all:
		return f.broadcast(ctx, client, data, s.out)
	}
	return f.unicast(ctx, client, target, data, s.out)
}

// target returns the one target that the flags name; the zero value is everybody.
func (f *pushFlags) target() (upstream.Target, error) {
	var named []upstream.Target
	if f.openid != "" {
		named = append(named, upstream.OpenID(f.openid))
	}
	if f.gid != "" {
		gid, err := strconv.ParseInt(f.gid, 10, 64)
		if err != nil {
			return upstream.Target{}, usagef("--gid %q is not a gid; a whole number of 64 bits is allowed", f.gid)
		}
		named = append(named, upstream.GID(gid))
	}
	if f.session != "" {
		named = append(named, upstream.Session(f.session))
	}
	if f.all {
		named = append(named, upstream.Target{})
	}
	if f.demo {
		named = append(named, upstream.Target{})
	}
	switch {
	case len(named) == 0:
		return upstream.Target{}, usagef("no target; one of --openid, --gid, --session and --all is required, or --demo")
	case len(named) > 1:
		return upstream.Target{}, usagef("%d targets; only one of --openid, --gid, --session, --all and --demo is allowed", len(named))
	case f.store && f.openid == "":
		return upstream.Target{}, usagef("--store is allowed with --openid only: only a user can be away and come back")
	}
	return named[0], f.checkOptions()
}

func (f *pushFlags) checkOptions() error {
	switch {
	case f.wait < 0 || f.wait > 30*time.Second:
		return usagef("--wait %v is not possible; up to 30s is allowed", f.wait)
	case f.wait > 0 && f.all:
		return usagef("--wait is not allowed with --all: nobody can wait for everybody")
	case f.demo && (f.wait > 0 || f.key != "" || f.ttl != 0):
		return usagef("--demo makes its own calls; --wait, --ttl and --idempotency-key are not allowed with it")
	case f.ttl < 0:
		return usagef("--ttl %v is not possible; a positive duration such as 10m is allowed", f.ttl)
	case f.rate < 0 || f.rate > 1_000_000 || f.rate > 0 && !f.all:
		return usagef("--rate %d is not possible; 1 to 1000000, with --all, is allowed", f.rate)
	}
	return nil
}

func (f *pushFlags) options() (opts []upstream.CallOption) {
	if f.store {
		opts = append(opts, upstream.StoreOffline())
	}
	if f.wait > 0 {
		opts = append(opts, upstream.WaitForAck(f.wait))
	}
	if f.ttl > 0 {
		opts = append(opts, upstream.TTL(f.ttl))
	}
	if f.key != "" {
		opts = append(opts, upstream.IdempotencyKey(f.key))
	}
	return opts
}

func (f *pushFlags) notification(data []byte) upstream.Notification {
	return upstream.Notification{MsgType: f.msgType, Title: f.title, Content: f.content, Data: data}
}

func (f *pushFlags) unicast(ctx context.Context, client *upstream.UnicastClient, to upstream.Target, data []byte, out io.Writer) error {
	outcome, err := client.Push(ctx, to, f.notification(data), f.options()...)
	refused, ok := errors.AsType[*upstream.PushError](err)
	switch {
	case ok && refused.Target == to:
		return fmt.Errorf("%s: %s (%s)", to, refused.Message, refused.Code)
	case err != nil:
		return describe(err, f.addr)
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", to, outcome.Message)
	return err
}

func (f *pushFlags) broadcast(ctx context.Context, client *upstream.UnicastClient, data []byte, out io.Writer) error {
	sent, err := client.Broadcast(ctx, f.notification(data), f.options()...)
	if err != nil {
		return describe(err, f.addr)
	}
	_, err = fmt.Fprintf(out, "all: sent to %d %s\n", sent, plural(sent, "session"))
	return err
}

// pace is broadcast, spread over time. It goes on until it is done or interrupted.
func (f *pushFlags) pace(ctx context.Context, client *upstream.UnicastClient, data []byte, out io.Writer) error {
	last, err := client.PaceBroadcast(ctx, f.notification(data), f.rate, func(p upstream.Progress) {
		fmt.Fprintf(out, "sent %d, queued %d, slow %d, skipped %d, expired %d, remaining %d of %d\n",
			p.Sent, p.Queued, p.Slow, p.Skipped, p.Expired, p.Remaining, p.Total)
	}, f.options()...)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("interrupted; the last report had %d of %d sessions left", last.Remaining, last.Total)
	case err != nil:
		return describe(err, f.addr)
	case last.Remaining > 0:
		return fmt.Errorf("it was cut short when it was first made, with %d of %d sessions left", last.Remaining, last.Total)
	}
	return nil
}

// tour makes every kind of call. What has to be there is a node; that its targets are not is part of
// what there is to see.
func (f *pushFlags) tour(ctx context.Context, client *upstream.UnicastClient, out io.Writer) error {
	if err := client.Demo(ctx, out); err != nil {
		return fmt.Errorf("the gateway has not answered every call; start a node first, with 'make run' or 'hermod': %w", describe(err, f.addr))
	}
	_, err := fmt.Fprint(out, "\nTo see a push arrive: hermodctl chat --user user456 --room lobby, and run this again.\n")
	return err
}

// readData returns what --data stands for.
func readData(data string, in io.Reader) ([]byte, error) {
	if data == "@-" {
		return io.ReadAll(in)
	}
	if len(data) > 1 && data[0] == '@' {
		return os.ReadFile(data[1:])
	}
	return []byte(data), nil
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
