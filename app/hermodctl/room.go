package hermodctl

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

const roomLong = `
It opens no session: nobody appears online. Without --as it acts as a service, with
an admin's rights in every room; with --as as that user, who may do what his role
there allows.`

func newRoom(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "room",
		Short: "Show and administer rooms and their members",
		Long:  `room shows rooms and their members, and changes them.` + "\n" + roomLong,
		Example: `  hermodctl room create lobby --as alice --name "The lobby" --max-users 500
  hermodctl room members lobby
  hermodctl room mute lobby mallory --for 10m --reason "calm down"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; %s are allowed", args[0], names(cmd))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newRoomCreate(s), newRoomShow(s), newRoomUpdate(s), newRoomDelete(s), newRoomList(s), newRoomMembers(s),
		newRoomRole(s), newRoomMute(s), newRoomUnmute(s), newRoomKick(s), newRoomBan(s), newRoomUnban(s), newRoomBans(s),
		newRoomInvite(s),
	)
	return cmd
}

// names lists the commands of cmd.
func names(cmd *cobra.Command) string {
	var all string
	commands := cmd.Commands()
	for i, c := range commands {
		switch {
		case i == 0:
		case i == len(commands)-1:
			all += " and "
		default:
			all += ", "
		}
		all += c.Name()
	}
	return all
}

// roomCommand is a command about rooms before it has its flags.
type roomCommand struct {
	use, short, long, example string
	arguments                 []string // their names, all of them required
	noUser                    bool     // it has no --as
	json                      bool     // it shows something
}

// roomCall is what a command does, once it is connected.
type roomCall struct {
	rooms imv1.RoomServiceClient
	im    imv1.IMServiceClient
	as    string
	args  []string
	show  roomListing
}

// command returns the command, which is still to be given its own flags.
func (r roomCommand) command(s *streams, do func(context.Context, *roomCall) error) *cobra.Command {
	var f imFlags
	var as string
	var asJSON bool
	cmd := &cobra.Command{
		Use: r.use, Short: r.short, Long: r.long + "\n" + roomLong, Example: r.example,
		Args: func(_ *cobra.Command, args []string) error { return namedArguments(args, r.arguments) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			conn, err := f.connect()
			if err != nil {
				return err
			}
			defer conn.Close() //nolint:errcheck // nothing is pending
			to := caller{conn: conn, flags: &f}
			call := &roomCall{
				rooms: imv1.NewRoomServiceClient(&to), im: imv1.NewIMServiceClient(&to),
				as: as, args: args, show: roomListing{out: s.out, err: s.err, json: asJSON},
			}
			if err := do(cmd.Context(), call); err != nil {
				return describe(errors.Join(err, call.show.end()), f.addr)
			}
			return call.show.end()
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	if r.json {
		flags.BoolVar(&asJSON, "json", false, "print JSON, a line for each")
	}
	if !r.noUser {
		flags.StringVar(&as, "as", "", "act as this `USER`")
	}
	f.register(flags, "token that proves who is calling (default $HERMOD_TOKEN)")
	return cmd
}

// namedArguments is the rule of commands that take arguments of these names.
func namedArguments(args, names []string) error {
	for i, name := range names {
		if i >= len(args) || args[i] == "" {
			return usagef("%s is required and must not be empty", name)
		}
	}
	if len(args) > len(names) {
		return usagef("unexpected argument %q; %d are allowed", args[len(names)], len(names))
	}
	return nil
}

// caller makes unary calls with the token and within the time that the flags say. An answer that says no is an
// error.
type caller struct {
	conn  *grpc.ClientConn
	flags *imFlags
}

// Invoke implements grpc.ClientConnInterface.
func (c *caller) Invoke(ctx context.Context, method string, req, resp any, opts ...grpc.CallOption) error {
	ctx, cancel := context.WithTimeout(ctx, c.flags.timeout)
	defer cancel()
	if c.flags.token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+c.flags.token)
	}
	if err := c.conn.Invoke(ctx, method, req, resp, opts...); err != nil {
		return err
	}
	if answer, ok := resp.(interface{ GetStatus() *imv1.ResponseStatus }); ok {
		if st := answer.GetStatus(); st.GetCode() != 0 {
			return fmt.Errorf("%s (%s)", st.GetMessage(), st.GetDetails()["reason"])
		}
	}
	return nil
}

// NewStream implements grpc.ClientConnInterface.
func (c *caller) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "only calls are made here")
}
