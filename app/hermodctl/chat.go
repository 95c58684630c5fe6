package hermodctl

import (
	"context"
	"crypto/tls"
	"os"
	"time"

	"github.com/game-im/hermod/app/hermodctl/chat"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/spf13/cobra"
)

// chatFlags are the flags of chat.
type chatFlags struct {
	user, room, nick, device string
	addr, token              string
	tls                      tlsFlags
	follow                   bool
}

func newChat(s *streams) *cobra.Command {
	var f chatFlags
	cmd := &cobra.Command{
		Use:   "chat --user USER --room ROOM",
		Short: "Chat in a room",
		Long: `chat enters a room and shows what was missed, who is there and what is said, with
the number of each message in brackets; lines that you type are sent, and @USER in
one mentions somebody. Lines that begin with a slash are commands: /reply, /react,
/edit and /recall are about a message, by its number; /history scrolls up, /search
looks for words in all your rooms, /read tells who has read what you said, /who who
is there, and /to USER talks to one person alone. /help lists them all.

On a terminal others are told that you type and how far you have read, and you are
told who types, comes and goes, where the node knows of that.

With its input piped in, chat sends every line, waits until all are stored and
ends, with exit code 1 if one was not; --follow makes it stay and listen.
Colours are off when the output is not a terminal or NO_COLOR is set.`,
		Example: `  hermodctl chat --user alice --room lobby
  # with a name that others see
  hermodctl chat --user bob --room lobby --nick "Bob the Builder"
  # from a script
  echo "deployed" | hermodctl chat --user bot --room ops
  echo "/audio alarm.opus" | hermodctl chat --user bot --room ops
  # listen only
  hermodctl chat --user bot --room ops --follow </dev/null`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runChat(cmd.Context(), f, s) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.user, "user", "", "who you are (required)")
	flags.StringVar(&f.room, "room", "", "room to enter; it is created if need be (required)")
	flags.StringVar(&f.nick, "nick", "", "name that others see")
	flags.StringVar(&f.device, "device", "", "name of this device, for what it has missed; without one all of a user's devices count as one")
	flags.StringVar(&f.addr, "addr", "127.0.0.1:8083", "IM gRPC address")
	flags.StringVar(&f.token, "token", os.Getenv("HERMOD_TOKEN"), "token that proves who you are (default $HERMOD_TOKEN)")
	flags.Lookup("token").DefValue = "" // the help must not show it
	f.tls.register(flags)
	flags.BoolVar(&f.follow, "follow", false, "stay when the piped input ends")
	return cmd
}

func runChat(ctx context.Context, f chatFlags, s *streams) error {
	if err := requireFlags(required{"user", f.user}, required{"room", f.room}); err != nil {
		return err
	}
	if err := checkAddress(f.addr); err != nil {
		return err
	}
	secured, err := f.tls.config()
	if err != nil {
		return err
	}
	screen, interactive, err := chat.Open(s.in, s.out)
	if err != nil {
		return err
	}
	defer screen.Close() //nolint:errcheck // the process ends; nothing could be done about it
	talk := chat.New(chat.Config{
		User:   f.user,
		Room:   f.room,
		Nick:   f.nick,
		Echo:   !interactive,
		Follow: f.follow && !interactive,
		Style:  chat.Style{Color: chat.Colors(s.out)},
	}, screen)
	config := f.clientConfig(talk, secured)
	if interactive { // scripts are not interested in who types, comes and goes
		config.OnEphemeral, config.OnPresence = talk.Ephemeral, talk.Presence
	}
	im, err := client.NewClient(config)
	if err != nil {
		return err
	}
	if err := im.Connect(); err != nil {
		return describe(err, f.addr)
	}
	defer im.Disconnect() //nolint:errcheck // always nil
	if err := talk.Run(ctx, im); err != nil {
		return describe(err, f.addr)
	}
	return nil
}

func (f *chatFlags) clientConfig(talk *chat.Chat, secured *tls.Config) *client.Config {
	return &client.Config{
		UserID:        f.user,
		DefaultRoomID: f.room,
		DeviceID:      f.device,
		Token:         f.token,
		TLS:           secured,
		Services:      []*discovery.ServiceInfo{{Address: f.addr}},
		MaxRetries:    -1,
		RetryInterval: 500 * time.Millisecond,
		OnMessage:     talk.Message,
		OnConnect:     talk.Connected,
		OnDisconnect:  talk.Disconnected,
		OnError:       talk.Failed,
	}
}
