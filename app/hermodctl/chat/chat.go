package chat

import (
	"context"
	"errors"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// Config says who chats, where and how.
type Config struct {
	User string
	Room string
	Nick string // empty: the user id is shown
	// Echo prints one's own messages when they are stored, for screens that do not show what was
	// typed. Nobody looks at such a screen: nothing is marked as read, and nobody is told of typing.
	Echo bool
	// Follow stays after the end of the input.
	Follow bool
	Style  Style
}

// ErrUnsent is what Run returns when it ends and not all of the input that it had read could be sent.
var ErrUnsent = errors.New("not everything was sent")

// maxPending bounds the lines that wait for those before them; beyond it the input waits.
const maxPending = 64

// Chat is one user's chat in one or more rooms.
type Chat struct {
	cfg    Config
	screen Screen
	client Client

	events chan func() // run by Run, whose goroutine alone touches what follows
	lines  chan string // closed at the end of the input
	over   chan struct{}

	room    string   // where lines go; empty: nowhere
	rooms   []string // all that were joined, the present one last
	names   map[string]string
	threads map[string]*thread // by room
	company company
	marks   marks
	aside   func(func(context.Context)) // runs something beside the chat, until that ends
	unnamed bool                        // somebody has come whose nickname may be known by now
	missed  missed
	pending []string // lines that wait, for a line may change the room of the next
	working bool     // a job runs
	typed   bool     // that is of a line
	uploads int      // that run, as a job or beside them
	unsent  bool
	quit    bool // asked for
	ended   bool // the input is at its end
	err     error
}

// job is a request to the server. It returns what to do with the outcome.
type job func(context.Context) (then func())

// New returns a chat on screen. Message, Connected and Disconnected are to be the client's
// callbacks; they wait until Run takes what they bring.
func New(cfg Config, screen Screen) *Chat {
	return &Chat{
		cfg:     cfg,
		screen:  screen,
		events:  make(chan func()),
		lines:   make(chan string),
		over:    make(chan struct{}),
		names:   map[string]string{cfg.User: cfg.Nick},
		threads: map[string]*thread{},
	}
}

// Run chats until the user quits, the input ends, ctx ends or the server wants no more of the
// client, which is an error. It must be called once, with a connected client.
func (c *Chat) Run(ctx context.Context, with Client) error {
	defer close(c.over)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.abandon()
	c.client = with
	c.aside = func(work func(context.Context)) { go work(ctx) }
	c.screen.Typing(c.typing)
	c.enter(ctx, c.cfg.Room)
	c.screen.Prompt(prompt(c.cfg.Room)) // a terminal draws it when reading begins
	go c.read()
	for {
		c.advance(ctx)
		if c.finished() {
			break
		}
		lines := c.lines
		if len(c.pending) >= maxPending {
			lines = nil
		}
		select {
		case event := <-c.events:
			event()
		case line, more := <-lines:
			c.input(line, more)
		case <-c.missed.ended():
			c.caughtUp()
		case <-ctx.Done():
			c.unsent = c.unsent || c.typed || c.uploads > 0 || len(c.pending) > 0
			return c.outcome()
		}
	}
	return c.outcome()
}

func (c *Chat) outcome() error {
	if c.err == nil && c.unsent && c.cfg.Echo {
		return ErrUnsent
	}
	return c.err
}

// finished tells whether all is done that was asked for.
func (c *Chat) finished() bool {
	if c.err != nil {
		return true
	}
	if c.ended && !c.cfg.Echo {
		return true // who types and hangs up does not want to wait
	}
	leaving := c.quit || c.ended && !c.cfg.Follow
	return leaving && !c.working && len(c.pending) == 0 && c.missed.done
}

// post hands an event to Run; it is lost when Run has ended.
func (c *Chat) post(event func()) {
	select {
	case c.events <- event:
	case <-c.over:
	}
}

// Message is the client's OnMessage.
func (c *Chat) Message(msg *imv1.MessageResponse) { c.post(func() { c.receive(msg) }) }

// Disconnected is the client's OnDisconnect.
func (c *Chat) Disconnected(err error) {
	if errors.Is(err, client.ErrDisconnected) {
		return
	}
	c.post(func() { c.problem("connection lost: %s", why(err)) })
}

// Connected is the client's OnConnect.
func (c *Chat) Connected() {
	c.post(func() {
		if c.missed.done { // not the first one
			c.note("connected again")
		}
	})
}

// Failed is the client's OnError. Only its giving up is news to the chat.
func (c *Chat) Failed(err error) {
	if errors.Is(err, client.ErrGaveUp) {
		c.post(func() { c.err = err })
	}
}

func (c *Chat) read() {
	defer close(c.lines)
	for {
		line, err := c.screen.ReadLine()
		if err != nil {
			return
		}
		select {
		case c.lines <- line:
		case <-c.over:
			return
		}
	}
}

func (c *Chat) input(line string, more bool) {
	if !more {
		c.lines, c.ended = nil, true
		return
	}
	if !c.quit {
		c.pending = append(c.pending, line)
	}
}

// advance handles the lines that wait, up to one that takes time. Names are for idle moments.
func (c *Chat) advance(ctx context.Context) {
	for !c.working && len(c.pending) > 0 {
		line := c.pending[0]
		c.pending = c.pending[1:]
		c.handle(ctx, line)
		c.typed = c.working
		if c.quit {
			c.pending = nil
		}
	}
	if c.unnamed && !c.working && c.room != "" {
		c.unnamed = false
		c.askNames(ctx)
	}
}

// do runs j beside the chat. Nothing else is done until it has ended.
func (c *Chat) do(ctx context.Context, j job) {
	c.working = true
	go func() {
		then := j(ctx)
		c.post(func() {
			c.working, c.typed = false, false
			then()
		})
	}()
}

func (c *Chat) note(format string, args ...any) { c.screen.Print(c.cfg.Style.Note(format, args...)) }
func (c *Chat) problem(format string, args ...any) {
	c.screen.Print(c.cfg.Style.Problem(format, args...))
}
func (c *Chat) heading(format string, args ...any) {
	c.screen.Print(c.cfg.Style.Heading(format, args...))
}
