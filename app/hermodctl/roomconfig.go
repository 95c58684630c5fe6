package hermodctl

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// configFlags are what a room accepts. Those that are not given leave it as it is.
type configFlags struct {
	flags                       *pflag.FlagSet
	maxUsers                    int32
	persistent, inviteOnly      bool
	audio, richText, transcribe bool
	messageTTL, idle            time.Duration
}

func (f *configFlags) register(flags *pflag.FlagSet) {
	f.flags = flags
	flags.Int32Var(&f.maxUsers, "max-users", 0, "members at most; 0: any number")
	flags.DurationVar(&f.messageTTL, "message-ttl", 0, "how long messages are kept; 0: for ever")
	flags.DurationVar(&f.idle, "idle-timeout", 0, "how long the room stays without a message and anybody online; 0: for ever")
	flags.BoolVar(&f.inviteOnly, "invite-only", false, "only who was invited may join")
	flags.BoolVar(&f.audio, "allow-audio", true, "recordings may be sent")
	flags.BoolVar(&f.richText, "allow-rich-text", true, "rich text may be sent")
	flags.BoolVar(&f.transcribe, "auto-transcribe", false, "recordings are transcribed without being asked")
}

// registerPersistent is for rooms that are not there yet: it cannot be changed.
func (f *configFlags) registerPersistent(flags *pflag.FlagSet) {
	flags.BoolVar(&f.persistent, "persistent", true, "messages are stored, numbered and kept for who is away")
}

// given tells whether any of them is.
func (f *configFlags) given() bool {
	for _, name := range []string{"max-users", "message-ttl", "idle-timeout", "invite-only", "allow-audio", "allow-rich-text", "auto-transcribe", "persistent"} {
		if f.flags.Changed(name) {
			return true
		}
	}
	return false
}

func (f *configFlags) check() error {
	for name, d := range map[string]time.Duration{"message-ttl": f.messageTTL, "idle-timeout": f.idle} {
		if d < 0 || d%time.Second != 0 {
			return usagef("--%s %v is not possible; whole seconds, such as 720h, or 0 are allowed", name, d)
		}
	}
	if f.maxUsers < 0 {
		return usagef("--max-users %d is not possible; a positive number, or 0 for any number, is allowed", f.maxUsers)
	}
	return nil
}

// apply changes c as the flags that are given say.
func (f *configFlags) apply(c *imv1.RoomConfig) {
	for name, set := range map[string]func(){
		"max-users":       func() { c.MaxUsers = f.maxUsers },
		"message-ttl":     func() { c.MessageTtlSeconds = int64(f.messageTTL / time.Second) },
		"idle-timeout":    func() { c.IdleTimeoutSeconds = int64(f.idle / time.Second) },
		"invite-only":     func() { c.InviteOnly = f.inviteOnly },
		"allow-audio":     func() { c.AllowAudio = f.audio },
		"allow-rich-text": func() { c.AllowRichText = f.richText },
		"auto-transcribe": func() { c.AutoTranscribe = f.transcribe },
		"persistent":      func() { c.Persistent = f.persistent },
	} {
		if f.flags.Changed(name) {
			set()
		}
	}
}

func newRoomCreate(s *streams) *cobra.Command {
	var f configFlags
	var name, description, nick string
	cmd := roomCommand{
		use: "create [ROOM]", short: "Make a room", json: true,
		long: `create makes a room and shows it; without ROOM the node chooses its id. Its first
member and admin is the user of --as, who is required. What it accepts is as the node has configured
it for new rooms, unless one of the flags from --persistent on is given: then the
others are as the help shows them.`,
		example: `  hermodctl room create lobby --as alice --name "The lobby"
  hermodctl room create staff --as alice --invite-only --message-ttl 720h`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		if err := errors.Join(requireFlags(required{"as", c.as}), f.check()); err != nil {
			return err
		}
		req := &imv1.CreateRoomRequest{UserId: c.as, Name: name, Description: description, Nickname: nick}
		if len(c.args) > 0 {
			req.RoomId = c.args[0]
		}
		if f.given() {
			req.Config = &imv1.RoomConfig{Persistent: true, AllowAudio: true, AllowRichText: true}
			f.apply(req.Config)
		}
		resp, err := c.rooms.CreateRoom(ctx, req)
		if err != nil {
			return err
		}
		return c.show.room(resp.GetRoomInfo())
	})
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return namedArguments(args, []string{"ROOM"})
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "what people call it")
	flags.StringVar(&description, "description", "", "what it is for")
	flags.StringVar(&nick, "nick", "", "what the user of --as is called in it")
	f.registerPersistent(flags)
	f.register(flags)
	return cmd
}

func newRoomShow(s *streams) *cobra.Command {
	return roomCommand{
		use: "show ROOM", short: "Show a room", arguments: []string{"ROOM"}, json: true,
		long:    `show tells what a room is called, what it accepts, and how many are in it.`,
		example: `  hermodctl room show lobby`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		resp, err := c.im.GetRoomInfo(ctx, &imv1.GetRoomInfoRequest{UserId: c.as, RoomId: c.args[0]})
		if err != nil {
			return err
		}
		return c.show.room(resp.GetRoomInfo())
	})
}

func newRoomUpdate(s *streams) *cobra.Command {
	var f configFlags
	var name, description string
	cmd := roomCommand{
		use: "update ROOM", short: "Change what a room is called and what it accepts", arguments: []string{"ROOM"}, json: true,
		long:    `update changes what the flags that are given say, tells the members, and shows the room.`,
		example: `  hermodctl room update lobby --name "The old lobby" --max-users 0`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		if err := f.check(); err != nil {
			return err
		}
		req := &imv1.UpdateRoomRequest{UserId: c.as, RoomId: c.args[0]}
		if f.flags.Changed("name") {
			req.Name = &name
		}
		if f.flags.Changed("description") {
			req.Description = &description
		}
		if f.given() { // it is sent as a whole
			room, err := c.im.GetRoomInfo(ctx, &imv1.GetRoomInfoRequest{UserId: c.as, RoomId: c.args[0]})
			if err != nil {
				return err
			}
			req.Config = room.GetRoomInfo().GetConfig()
			f.apply(req.Config)
		}
		if req.Name == nil && req.Description == nil && req.Config == nil {
			return usagef("nothing is to be changed; give one of the flags from --name on")
		}
		resp, err := c.rooms.UpdateRoom(ctx, req)
		if err != nil {
			return err
		}
		return c.show.room(resp.GetRoomInfo())
	})
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "what people call it")
	flags.StringVar(&description, "description", "", "what it is for")
	f.register(flags)
	return cmd
}

func newRoomDelete(s *streams) *cobra.Command {
	var sure bool
	cmd := roomCommand{
		use: "delete ROOM", short: "End a room for everybody", arguments: []string{"ROOM"},
		long:    `delete ends a room. All that was said in it is gone.`,
		example: `  hermodctl room delete lobby --yes`,
	}.command(s, func(ctx context.Context, c *roomCall) error {
		if !sure {
			return usagef("all that was said in %q will be gone; give --yes if that is meant", c.args[0])
		}
		if _, err := c.rooms.DeleteRoom(ctx, &imv1.DeleteRoomRequest{UserId: c.as, RoomId: c.args[0]}); err != nil {
			return err
		}
		return c.show.say("%s is deleted", c.args[0])
	})
	cmd.Flags().BoolVar(&sure, "yes", false, "it is meant (required)")
	return cmd
}
