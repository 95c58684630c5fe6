package hermodctl

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/game-im/hermod/sdk/upstream"
	"github.com/spf13/cobra"
)

// sessionFlags select sessions.
type sessionFlags struct {
	openid, state string
	gid           int64
	gatewayFlags
}

func (f *sessionFlags) registerAll(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.openid, "openid", "", "only sessions of this user")
	flags.Int64Var(&f.gid, "gid", 0, "only sessions of this gid")
	flags.StringVar(&f.state, "state", "", "only sessions that are inited, active or detached")
	f.register(flags, "how long to wait for one answer")
}

func (f *sessionFlags) filter() (upstream.SessionFilter, error) {
	switch f.state {
	case "", "inited", "active", "detached":
		return upstream.SessionFilter{OpenID: f.openid, GID: f.gid, State: f.state}, nil
	}
	return upstream.SessionFilter{}, usagef("--state %q is unknown; inited, active and detached are allowed", f.state)
}

func newSessions(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List and close the sessions of a node and its cluster",
		Long: `sessions shows who is connected to a node, or to another one of its cluster, and
closes sessions. A session is inited
until its client has logged in, active while it is connected, and detached while
its client may come back to it.`,
		Example: `  hermodctl sessions list --state detached
  hermodctl sessions close --openid mallory --code 4600 --reason "banned"`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; list and close are allowed", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newSessionsList(s), newSessionsClose(s))
	return cmd
}

func newSessionsList(s *streams) *cobra.Command {
	var f sessionFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List sessions",
		Long: `list shows the sessions of a node and its cluster in the order of their ids. NODE
is the id that a node got when it started. QUEUE is what waits
in a session: frames, and their bytes. IDLE is how long nothing came from its client.`,
		Example: `  hermodctl sessions list --openid alice
  hermodctl sessions list --json | jq -r 'select(.queue_bytes > 100000) | .session_id'`,
		Args: noArguments,
	}
	asJSON := cmd.Flags().Bool("json", false, "print a line of JSON for each session")
	f.registerAll(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		filter, err := f.filter()
		if err != nil {
			return err
		}
		client, err := f.connect()
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // nothing is pending
		show := sessionTable(s.out)
		if *asJSON {
			show = sessionLines(s.out)
		}
		for info, err := range client.Sessions(cmd.Context(), filter) {
			if err == nil {
				err = show.row(info)
			}
			if err != nil {
				return describe(errors.Join(err, show.end()), f.addr)
			}
		}
		return show.end()
	}
	return cmd
}

// listing writes sessions.
type listing struct {
	row func(upstream.SessionInfo) error
	end func() error
}

func sessionLines(out io.Writer) listing {
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	return listing{func(s upstream.SessionInfo) error { return lines.Encode(s) }, func() error { return nil }}
}

func sessionTable(out io.Writer) listing {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SESSION\tOPENID\tGID\tNODE\tSTATE\tPROTOCOL\tREMOTE\tAGE\tIDLE\tQUEUE")
	now := time.Now()
	return listing{func(s upstream.SessionInfo) error {
		gid, remote := "-", "-"
		if s.GID != 0 {
			gid = strconv.FormatInt(s.GID, 10)
		}
		if s.Transport != "" {
			remote = s.Transport + " " + s.RemoteAddr
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d (%d B)\n",
			s.ID, printable(s.OpenID), gid, cmp.Or(s.Node, "-"), s.State, s.Protocol, remote,
			since(now, s.Created), since(now, s.LastActive), s.QueueFrames, s.QueueBytes)
		return err
	}, table.Flush}
}

func since(now, t time.Time) string { return max(now.Sub(t), 0).Truncate(time.Second).String() }

// printable keeps what clients choose from steering the terminal. Joiners do not: emoji have them, and words of some
// languages.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !unicode.Is(unicode.Join_Control, r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

func newSessionsClose(s *streams) *cobra.Command {
	var f sessionFlags
	cmd := &cobra.Command{
		Use:   "close [SESSION...]",
		Short: "Close sessions",
		Long: `close closes the sessions that are named, or all that the filters select. Their
clients may read what waits for them first, for a second at most, and are told a
code: 4001 (disconnected by the service) unless --code gives another one. 3500 to
3999 invite a client to come back to its session, 4500 to 4999 tell it to stay away.

The exit code is 1 if a session could not be closed, or if there was none.`,
		Example: `  hermodctl sessions close 01928f7e-3c1d-7b6a-9d0e-2f4b6a8c0e1f
  hermodctl sessions close --openid mallory --code 4600 --reason "banned"`,
		Args: cobra.ArbitraryArgs,
	}
	code := cmd.Flags().Uint32("code", 0, "code that clients are told")
	reason := cmd.Flags().String("reason", "", "text that clients are told, 100 bytes at most")
	f.registerAll(cmd)
	cmd.RunE = func(cmd *cobra.Command, ids []string) error {
		filter, err := f.filter()
		if err != nil {
			return err
		}
		if (len(ids) > 0) == (filter != upstream.SessionFilter{}) {
			return usagef("give sessions, or one of --openid, --gid and --state")
		}
		client, err := f.connect()
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // nothing is pending
		if len(ids) == 0 {
			for info, err := range client.Sessions(cmd.Context(), filter) {
				if err != nil {
					return describe(err, f.addr)
				}
				ids = append(ids, info.ID)
			}
		}
		failed := 0
		for _, id := range ids {
			closed, err := client.CloseSession(cmd.Context(), id, *code, *reason)
			if err != nil {
				failed++
				fmt.Fprintf(s.err, "%q: %v\n", id, describe(err, f.addr))
				continue
			}
			fmt.Fprintln(s.out, closed)
		}
		return notClosed(failed, len(ids))
	}
	return cmd
}

// notClosed is nil if there were sessions and all of them were closed.
func notClosed(failed, of int) error {
	switch {
	case of == 0:
		return errors.New("no session fits")
	case failed > 0:
		return fmt.Errorf("%d of %d sessions were not closed", failed, of)
	}
	return nil
}
