package hermodctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// pushFlags are the flags of push.
type pushFlags struct {
	openid, gid, session string
	all                  bool

	msgType, title, content, data string
	store                         bool

	addr, token string
	timeout     time.Duration
}

// pushTarget is whom a push is for; the zero value is everybody.
type pushTarget struct{ kind, id string }

func newPush(s *streams) *cobra.Command {
	var f pushFlags
	cmd := &cobra.Command{
		Use:   "push (--openid ID | --gid N | --session ID | --all)",
		Short: "Push to a user, a session or everybody, as a service does",
		Long: `push sends something to connected clients through the gateway's GatewayService
and prints what became of it. A user who is not connected is an error, unless
--store keeps the push for him.

The exit code is 0 only if the push was delivered, or kept.`,
		Example: `  # to all sessions of a user
  hermodctl push --openid alice --title "Mail" --content "You have mail"
  # kept when she is away
  hermodctl push --openid alice --type mail --content "You have mail" --store
  # data from a file, to everybody who is connected
  hermodctl push --all --type news --data @news.json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runPush(cmd.Context(), f, s)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.openid, "openid", "", "user to push to")
	flags.StringVar(&f.gid, "gid", "", "gid to push to, a number")
	flags.StringVar(&f.session, "session", "", "session to push to")
	flags.BoolVar(&f.all, "all", false, "push to every connected session")
	flags.StringVar(&f.msgType, "type", "notice", "msg_type, for the client to tell pushes apart")
	flags.StringVar(&f.title, "title", "", "title")
	flags.StringVar(&f.content, "content", "", "text")
	flags.StringVar(&f.data, "data", "", "data; @FILE reads a file, @- the standard input")
	flags.BoolVar(&f.store, "store", false, "keep it for a user who is not connected")
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8082", "gateway gRPC address")
	flags.StringVar(&f.token, "token", os.Getenv("HERMOD_TOKEN"), "token of the service (default $HERMOD_TOKEN)")
	flags.Lookup("token").DefValue = "" // the help must not show it
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for the outcome")
	return cmd
}

func runPush(ctx context.Context, f pushFlags, s *streams) error {
	target, err := f.target()
	if err != nil {
		return err
	}
	if err := checkAddress(f.addr); err != nil {
		return err
	}
	if f.timeout <= 0 {
		return usagef("--timeout %v is too short; a positive duration such as 5s is allowed", f.timeout)
	}
	data, err := readData(f.data, s.in)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(f.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // nothing is pending
	ctx, done := context.WithTimeout(f.withMetadata(ctx), f.timeout)
	defer done()
	gateway := gatewayv1.NewGatewayServiceClient(conn)
	if f.all {
		return f.broadcast(ctx, gateway, data, s.out)
	}
	return f.unicast(ctx, gateway, target, data, s.out)
}

// target returns the one target that the flags name.
func (f *pushFlags) target() (pushTarget, error) {
	var named []pushTarget
	if f.openid != "" {
		named = append(named, pushTarget{"openid", f.openid})
	}
	if f.gid != "" {
		if _, err := strconv.ParseInt(f.gid, 10, 64); err != nil {
			return pushTarget{}, usagef("--gid %q is not a gid; a whole number of 64 bits is allowed", f.gid)
		}
		named = append(named, pushTarget{"gid", f.gid})
	}
	if f.session != "" {
		named = append(named, pushTarget{"session", f.session})
	}
	if f.all {
		named = append(named, pushTarget{})
	}
	switch {
	case len(named) == 0:
		return pushTarget{}, usagef("no target; one of --openid, --gid, --session and --all is required")
	case len(named) > 1:
		return pushTarget{}, usagef("%d targets; only one of --openid, --gid, --session and --all is allowed", len(named))
	case f.store && f.openid == "":
		return pushTarget{}, usagef("--store is allowed with --openid only: only a user can be away and come back")
	}
	return named[0], nil
}

func (f *pushFlags) withMetadata(ctx context.Context) context.Context {
	if f.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+f.token)
	}
	if f.store {
		ctx = metadata.AppendToOutgoingContext(ctx, "offline", "store")
	}
	return ctx
}

func (f *pushFlags) unicast(ctx context.Context, gateway gatewayv1.GatewayServiceClient, to pushTarget, data []byte, out io.Writer) error {
	resp, err := gateway.PushToClient(ctx, &gatewayv1.UnicastPushRequest{
		TargetType: to.kind,
		TargetId:   to.id,
		MsgType:    f.msgType,
		Title:      f.title,
		Content:    f.content,
		Data:       data,
	})
	if err != nil {
		return describe(err, f.addr)
	}
	if !resp.GetSuccess() {
		return fmt.Errorf("%s %s: %s (%s)", to.kind, to.id, resp.GetMessage(), resp.GetErrorCode())
	}
	_, err = fmt.Fprintf(out, "%s %s: %s\n", to.kind, to.id, resp.GetMessage())
	return err
}

func (f *pushFlags) broadcast(ctx context.Context, gateway gatewayv1.GatewayServiceClient, data []byte, out io.Writer) error {
	resp, err := gateway.BroadcastToClients(ctx, &gatewayv1.BroadcastRequest{
		MsgType: f.msgType,
		Title:   f.title,
		Content: f.content,
		Data:    data,
	})
	if err != nil {
		return describe(err, f.addr)
	}
	_, err = fmt.Fprintf(out, "all: sent to %d %s\n", resp.GetSentCount(), plural(int(resp.GetSentCount()), "session"))
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
