package chat

import (
	"context"
	"slices"
	"strings"
)

// command is what a line that begins with a slash asks for.
type command struct {
	name, argument, help string
	run                  func(c *Chat, ctx context.Context, argument string)
}

// wants returns how many words a command has to have behind it.
func (c command) wants() int {
	if strings.HasPrefix(c.argument, "[") {
		return 0
	}
	return len(strings.Fields(c.argument))
}

var commands = []command{
	{"who", "", "who is online, who does not look, and who else is a member", (*Chat).who},
	{"join", "ROOM", "enter a room and talk there", (*Chat).join},
	{"to", "USER TEXT", "say something to one person alone", (*Chat).direct},
	{"reply", "N TEXT", "answer message [N]; . is the last one of somebody else", (*Chat).reply},
	{"react", "N EMOJI", "react to message [N]; . as above", (*Chat).react},
	{"unreact", "N EMOJI", "take that back", (*Chat).unreact},
	{"edit", "N TEXT", "give your message [N] another text; . is your last one", (*Chat).edit},
	{"recall", "N", "take message [N] back; . as above", (*Chat).recall},
	{"history", "[COUNT]", "scroll up: what was said before what is shown, 10 messages", (*Chat).history},
	{"read", "[N]", "who has read message [N], or your last one", (*Chat).readers},
	{"search", "WORDS", "look for words in all your rooms", (*Chat).search},
	{"away", "", "you are not looking, until you type again", (*Chat).goAway},
	{"audio", "FILE", "send a recording; leaving the chat ends the upload", (*Chat).audio},
	{"leave", "", "leave this room for good", (*Chat).leave},
	{"quit", "", "end the chat; you stay a member", func(c *Chat, _ context.Context, _ string) { c.quit = true }},
}

// handle does what a line says. A line that is to begin with a slash begins with two.
func (c *Chat) handle(ctx context.Context, line string) {
	c.comeBack()
	switch {
	case strings.TrimSpace(line) == "":
	case strings.HasPrefix(line, "//"):
		c.send(ctx, line[1:])
	case strings.HasPrefix(line, "/"):
		c.command(ctx, line[1:])
	default:
		c.send(ctx, line)
	}
}

func (c *Chat) command(ctx context.Context, line string) {
	name, argument, _ := strings.Cut(line, " ")
	argument = strings.TrimSpace(argument)
	if name == "help" {
		c.help()
		return
	}
	i := slices.IndexFunc(commands, func(cmd command) bool { return cmd.name == name })
	switch {
	case i < 0:
		c.unsent = true
		c.problem("there is no command /%s; /help lists them, and //%s sends it as text", name, line)
		return
	case len(strings.Fields(argument)) < commands[i].wants():
		c.unsent = true
		c.problem("/%s wants %s", name, commands[i].argument)
		return
	case commands[i].argument == "" && argument != "":
		c.unsent = true
		c.problem("/%s takes nothing behind it", name)
		return
	}
	commands[i].run(c, ctx, argument)
}

func (c *Chat) help() {
	for _, cmd := range commands {
		c.note("%-16s %s", strings.TrimSpace("/"+cmd.name+" "+cmd.argument), cmd.help)
	}
	c.note("%-16s %s", "/help", "this")
	c.note("%-16s %s", "//text", "send text that begins with a slash")
	c.note("@USER in a text mentions somebody, and @all everybody, for moderators and admins")
}

// enter is the first room's join; without it there is no chat.
func (c *Chat) enter(ctx context.Context, room string) {
	c.do(ctx, func(context.Context) func() {
		l, err := c.look(room)
		return func() {
			if err != nil {
				c.err = err
				return
			}
			c.settle(room)
			c.introduce(room, l)
			if !c.cfg.Echo {
				c.note("/help lists the commands")
			}
			c.missed.begin(l.info.GetLastActive().AsTime())
		}
	})
}

func (c *Chat) join(ctx context.Context, room string) {
	c.do(ctx, func(context.Context) func() {
		l, err := c.look(room)
		return func() {
			if err != nil {
				c.problem("not joined: %s", why(err))
				return
			}
			c.settle(room)
			c.introduce(room, l)
		}
	})
}

func (c *Chat) who(ctx context.Context, _ string) {
	room := c.room
	if room == "" {
		c.problem("you are in no room")
		return
	}
	c.do(ctx, func(ctx context.Context) func() {
		l, err := c.look(room)
		c.askPresence(ctx, &l)
		return func() {
			if err != nil {
				c.problem("%s", why(err))
				return
			}
			c.learn(l)
			c.whereabouts(l)
		}
	})
}

func (c *Chat) leave(ctx context.Context, _ string) {
	room := c.room
	if room == "" {
		c.problem("you are in no room")
		return
	}
	c.do(ctx, func(context.Context) func() {
		_, err := c.client.LeaveRoom(room)
		return func() {
			if err != nil {
				c.problem("not left: %s", why(err))
				return
			}
			c.left(room)
			c.note("you have left %s", room)
		}
	})
}

// left goes on in the room that one was in before, if it was the present one that one has left.
func (c *Chat) left(room string) {
	c.rooms = slices.DeleteFunc(c.rooms, func(r string) bool { return r == room })
	delete(c.threads, room)
	if room != c.room {
		c.watch()
		return
	}
	c.room = ""
	if n := len(c.rooms); n > 0 {
		c.settle(c.rooms[n-1])
		return
	}
	c.screen.Prompt(prompt(c.room))
	c.watch()
}

// settle makes room the one that lines go to.
func (c *Chat) settle(room string) {
	c.rooms = append(slices.DeleteFunc(c.rooms, func(r string) bool { return r == room }), room)
	c.room = room
	c.screen.Prompt(prompt(c.room))
	c.watch()
}

func prompt(room string) string { return clean(room) + "> " }
