package hermodctl

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

func newWebhooks(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "webhooks",
		Short: "Show how webhooks fare, and have them deliver again",
		Long: `webhooks shows how far the webhooks of a node and its cluster are, what they have
given up, and has them deliver again.`,
		Example: `  hermodctl webhooks list
  hermodctl webhooks dead orders
  hermodctl webhooks replay orders --from dead`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; %s are allowed", args[0], names(cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWebhooksList(s), newWebhooksDead(s), newWebhooksReplay(s))
	return cmd
}

// webhooksCall is what a command does, once it is connected.
type webhooksCall struct {
	webhooks gatewayv1.WebhookServiceClient
	show     roomListing
}

// webhooksCommand gives cmd its flags and what it does, for which it needs arguments of these names.
func webhooksCommand(s *streams, cmd *cobra.Command, arguments []string, do func(context.Context, *webhooksCall, []string) error) *cobra.Command {
	var f imFlags
	flags := cmd.Flags()
	flags.SortFlags = false
	asJSON := flags.Bool("json", false, "print JSON, a line for each")
	f.registerAt(flags, "127.0.0.1:8082", "gateway gRPC address", "token of the service (default $HERMOD_TOKEN)")
	cmd.Args = func(_ *cobra.Command, args []string) error { return namedArguments(args, arguments) }
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(); err != nil {
			return err
		}
		conn, err := f.connect()
		if err != nil {
			return err
		}
		defer conn.Close() //nolint:errcheck // nothing is pending
		call := &webhooksCall{
			webhooks: gatewayv1.NewWebhookServiceClient(&caller{conn: conn, flags: &f}), show: roomListing{out: s.out, err: s.err, json: *asJSON},
		}
		if err := do(cmd.Context(), call, args); err != nil {
			if _, wrong := errors.AsType[*usageError](err); wrong {
				return err
			}
			return describe(errors.Join(err, call.show.end()), f.addr)
		}
		return call.show.end()
	}
	return cmd
}

type webhookLine struct {
	Name        string     `json:"name"`
	Node        string     `json:"node"`
	Since       *time.Time `json:"since,omitempty"`
	Lag         int64      `json:"lag"`
	DeadLetters int64      `json:"dead_letters"`
	DeliveredAt *time.Time `json:"delivered_at,omitempty"`
	FailedAt    *time.Time `json:"failed_at,omitempty"`
	LastError   string     `json:"last_error"`
}

func newWebhooksList(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List webhooks, and how far they are",
		Long: `list shows all webhooks that were ever delivered. NODE is the node that delivers a
webhook, by the id that it got when it started. LAG is how many messages were still to
be delivered when that was last counted, half a minute ago at most, and DEAD how many
were given up.`,
		Example: `  hermodctl webhooks list
  hermodctl webhooks list --json | jq 'select(.lag > 1000)'`,
	}
	return webhooksCommand(s, cmd, nil, func(ctx context.Context, c *webhooksCall, _ []string) error {
		resp, err := c.webhooks.ListWebhooks(ctx, &gatewayv1.ListWebhooksRequest{})
		if err != nil {
			return err
		}
		for _, w := range resp.GetWebhooks() {
			line := webhookLine{
				Name: w.GetName(), Node: w.GetNode(), Since: momentOf(w.GetSince()), Lag: w.GetLag(), DeadLetters: w.GetDeadLetters(),
				DeliveredAt: momentOf(w.GetDeliveredAt()), FailedAt: momentOf(w.GetFailedAt()), LastError: w.GetLastError(),
			}
			if c.show.json {
				err = c.show.line(line)
			} else {
				err = c.show.row("WEBHOOK NODE LAG DEAD DELIVERED FAILED ERROR", line.Name, line.Node, line.Lag, line.DeadLetters,
					clock(line.DeliveredAt), clock(line.FailedAt), line.LastError)
			}
			if err != nil {
				return err
			}
		}
		return c.show.none("no webhook has delivered anything yet")
	})
}

type deadLine struct {
	RoomID  string     `json:"room_id"`
	FromSeq int64      `json:"from_seq"`
	ToSeq   int64      `json:"to_seq"`
	DiedAt  *time.Time `json:"died_at,omitempty"`
	Again   bool       `json:"again"`
	Reason  string     `json:"reason"`
}

// deadPage is how many ranges are asked for at once.
const deadPage = 1000

func newWebhooksDead(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead WEBHOOK",
		Short: "List what a webhook has given up",
		Long: `dead lists the messages that a webhook has given up, as places in their rooms, with
the reason. AGAIN is yes for what is about to be tried once more.`,
		Example: `  hermodctl webhooks dead orders
  hermodctl webhooks dead orders --json | jq -r .reason | sort | uniq -c`,
	}
	return webhooksCommand(s, cmd, []string{"WEBHOOK"}, func(ctx context.Context, c *webhooksCall, args []string) error {
		req := &gatewayv1.ListDeadLettersRequest{Webhook: args[0], PageSize: deadPage}
		for more := true; more; {
			resp, err := c.webhooks.ListDeadLetters(ctx, req)
			if err != nil {
				return err
			}
			for _, d := range resp.GetDeadLetters() {
				line := deadLine{d.GetRoomId(), d.GetFromSeq(), d.GetToSeq(), momentOf(d.GetDiedAt()), d.GetAgain(), d.GetReason()}
				if c.show.json {
					err = c.show.line(line)
				} else {
					err = c.show.row("ROOM FROM TO DIED AGAIN REASON", line.RoomID, line.FromSeq, line.ToSeq, clock(line.DiedAt), yes(line.Again), line.Reason)
				}
				if err != nil {
					return err
				}
				req.AfterRoomId, req.AfterSeq = line.RoomID, line.FromSeq
			}
			more = len(resp.GetDeadLetters()) == deadPage
		}
		return c.show.none("%s has given up nothing", args[0])
	})
}

func newWebhooksReplay(s *streams) *cobra.Command {
	var from, room string
	cmd := &cobra.Command{
		Use:   "replay WEBHOOK --from PLACE",
		Short: "Have a webhook deliver again",
		Long: `replay has a webhook deliver something again, beside what it has to deliver anyhow:
from a message of a room on, written room:seq; what was stored in any room since a
time, such as 2006-01-02T15:04:05Z, or for a while, such as 90m; or dead, what it has
given up, once more each. The deliveries have new ids.

A receiver gets what it had again, in the order of each room. In a cluster it begins
half a minute later at most.`,
		Example: `  hermodctl webhooks replay orders --from lobby:1200
  hermodctl webhooks replay orders --from 90m --timeout 5m
  hermodctl webhooks replay orders --from dead --room lobby`,
	}
	cmd.Flags().StringVar(&from, "from", "", "a `PLACE`: room:seq, a time, how long ago, or dead")
	cmd.Flags().StringVar(&room, "room", "", "with --from dead: of this `ROOM` alone")
	return webhooksCommand(s, cmd, []string{"WEBHOOK"}, func(ctx context.Context, c *webhooksCall, args []string) error {
		req, err := replayFrom(from, room, time.Now())
		if err != nil {
			return err
		}
		req.Webhook = args[0]
		resp, err := c.webhooks.ReplayWebhook(ctx, req)
		switch {
		case err != nil:
			return err
		case c.show.json:
			return c.show.line(map[string]int64{"rooms": int64(resp.GetRooms()), "messages": resp.GetMessages()})
		case req.GetDeadLetters():
			return c.show.say("%d messages that were given up are tried once more", resp.GetMessages())
		}
		return c.show.say("rooms that are delivered again: %d", resp.GetRooms())
	})
}

// replayFrom reads a place. A room may have colons in its name.
func replayFrom(from, room string, now time.Time) (*gatewayv1.ReplayWebhookRequest, error) {
	if room != "" && from != "dead" {
		return nil, usagef("--room goes with --from dead")
	}
	if from == "dead" {
		return &gatewayv1.ReplayWebhookRequest{DeadLetters: true, RoomId: room}, nil
	}
	if at, err := time.Parse(time.RFC3339, from); err == nil {
		return &gatewayv1.ReplayWebhookRequest{FromTime: timestamppb.New(at)}, nil
	}
	if ago, err := time.ParseDuration(from); err == nil && ago > 0 {
		return &gatewayv1.ReplayWebhookRequest{FromTime: timestamppb.New(now.Add(-ago))}, nil
	}
	if i := strings.LastIndexByte(from, ':'); i > 0 {
		if seq, err := strconv.ParseInt(from[i+1:], 10, 64); err == nil && seq > 0 {
			return &gatewayv1.ReplayWebhookRequest{RoomId: from[:i], FromSeq: seq}, nil
		}
	}
	return nil, usagef("--from %q is no place; room:seq, a time such as 2006-01-02T15:04:05Z, how long ago such as 90m, and dead are allowed", from)
}
