package hermodctl

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/app/hermodctl/tail"
)

// tailOutage is how long a tail that does not follow puts up with a node that is away.
const tailOutage = time.Minute

// tailFlags are the flags of tail.
type tailFlags struct {
	after       []string
	last, limit int
	untilHead   bool
	json        bool

	imFlags
}

const tailLong = ` It opens no session and does nothing on
anybody's behalf: nobody appears online or becomes a member, no cursor moves and
nothing is acknowledged.

It looks for what is new every 100 ms while there is something, and less and less
often, at last once a second, while there is nothing. A node that goes away is
waited for. What is missing is told on standard error: messages that the node no
longer keeps, or that the node is away. The exit code is 0 after an interrupt, and
1 if it had to give up.`

func newTail(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Follow a room, or all rooms of a user",
		Long:  `tail shows what was said, from any place on, and then what is being said.` + tailLong,
		Example: `  hermodctl tail room lobby
  hermodctl tail user alice --last 50 --until-head`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; room and user are allowed", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newTailRoom(s), newTailUser(s))
	return cmd
}

func newTailRoom(s *streams) *cobra.Command {
	var f tailFlags
	var as string
	cmd := &cobra.Command{
		Use:   "room ROOM",
		Short: "Follow a room",
		Long: `room shows the messages of a room, each in a line: time, room and its number there,
sender, type, content.` + tailLong + `

A service sees all that is kept of a room, a user what a member sees. Rooms that
are not persistent keep nothing: there is nothing to see.`,
		Example: `  hermodctl tail room lobby
  # everything that is kept, once
  hermodctl tail room lobby --after 0 --until-head
  # on behind message 4711, for a program
  hermodctl tail room lobby --after 4711 --json | jq -r .content
  # what bob sees of it
  hermodctl tail room lobby --as bob`,
		Args: func(_ *cobra.Command, args []string) error { return oneArgument(args, "ROOM") },
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			if len(cfg.Rooms) > 0 {
				return usagef("--after %q is not possible; a whole number from 0 is allowed", f.after[0])
			}
			cfg.User = as
			return f.run(cmd.Context(), s, func(ctx context.Context, caller *tail.Caller, screen tail.Screen, note tail.Notes) error {
				return tail.NewRoom(args[0], cfg, caller, screen, note).Run(ctx)
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.after, "after", nil, "begin behind the message of this `number`; 0: with the first that is kept")
	flags.StringVar(&as, "as", "", "see it as this member does; for services")
	f.register(flags)
	return cmd
}

func newTailUser(s *streams) *cobra.Command {
	var f tailFlags
	cmd := &cobra.Command{
		Use:   "user USER",
		Short: "Follow all rooms of a user",
		Long: `user shows the messages of all rooms that a user is in, each in a line: time, room
and its number there, sender, type, content. Rooms are merged by time; within each
the order is that of the room. Rooms that the user joins are followed from then on,
and those that he leaves no more.` + tailLong + `

Pushes are in no room and are not shown.`,
		Example: `  hermodctl tail user alice
  # everything that is kept for her, once
  hermodctl tail user alice --after 0 --until-head
  # on behind what was seen of two rooms, and with all of the others
  hermodctl tail user alice --after lobby=4711 --after dev=12`,
		Args: func(_ *cobra.Command, args []string) error { return oneArgument(args, "USER") },
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := f.config()
			if err != nil {
				return err
			}
			cfg.User = args[0]
			return f.run(cmd.Context(), s, func(ctx context.Context, caller *tail.Caller, screen tail.Screen, note tail.Notes) error {
				return tail.NewUser(cfg, caller, screen, note).Run(ctx)
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&f.after, "after", nil, "begin behind the message of this `[ROOM=]number`; 0: with the first that is kept; of rooms that are not named likewise")
	f.register(flags)
	return cmd
}

func (f *tailFlags) register(flags *pflag.FlagSet) {
	flags.IntVar(&f.last, "last", 10, "begin with so many messages, unless --after says where, up to 500")
	flags.IntVar(&f.limit, "limit", 0, "end after so many messages (default any number)")
	flags.BoolVar(&f.untilHead, "until-head", false, "end with the last message that there is now, instead of following")
	flags.BoolVar(&f.json, "json", false, "print a line of JSON for each message")
	f.imFlags.register(flags, "token that proves who is looking (default $HERMOD_TOKEN)")
}

// config checks the flags and returns what they say.
func (f *tailFlags) config() (tail.Config, error) {
	cfg := tail.Config{Last: f.last, After: -1, Limit: f.limit, UntilHead: f.untilHead, Rooms: map[string]int64{}}
	switch {
	case f.last < 0 || f.last > 500:
		return cfg, usagef("--last %d is not possible; 0 to 500 is allowed", f.last)
	case f.limit < 0:
		return cfg, usagef("--limit %d is not possible; a positive number, or 0 for any number, is allowed", f.limit)
	}
	for _, given := range f.after {
		room, number := "", given
		at := strings.LastIndexByte(given, '=')
		if at >= 0 {
			room, number = given[:at], given[at+1:]
		}
		seq, err := strconv.ParseInt(number, 10, 64)
		switch {
		case err != nil || seq < 0 || at == 0:
			return cfg, usagef("--after %q is not possible; a whole number from 0 is allowed", given)
		case at > 0:
			if _, twice := cfg.Rooms[room]; twice {
				return cfg, usagef("--after is given twice for room %s", room)
			}
			cfg.Rooms[room] = seq
		case cfg.After >= 0:
			return cfg, usagef("--after is given twice")
		default:
			cfg.After = seq
		}
	}
	return cfg, f.check()
}

// run connects and lets follow do its work.
func (f *tailFlags) run(ctx context.Context, s *streams, follow func(context.Context, *tail.Caller, tail.Screen, tail.Notes) error) error {
	conn, err := f.connect()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is pending
	note := func(format string, args ...any) { fmt.Fprintln(s.err, printable(fmt.Sprintf(format, args...))) }
	caller := &tail.Caller{Calls: imv1.NewIMServiceClient(conn), Token: f.token, Timeout: f.timeout, Note: note}
	if f.untilHead {
		caller.Outage = tailOutage
	}
	var screen tail.Screen = tail.NewText(s.out)
	if f.json {
		screen = tail.NewJSON(s.out)
	}
	if err := follow(ctx, caller, screen, note); err != nil {
		return describe(err, f.addr)
	}
	return nil
}

// oneArgument is the rule of commands that take one argument of that name.
func oneArgument(args []string, name string) error {
	switch {
	case len(args) == 0 || args[0] == "":
		return usagef("%s is required and must not be empty", name)
	case len(args) > 1:
		return usagef("unexpected argument %q; one %s is allowed", args[1], name)
	}
	return nil
}
