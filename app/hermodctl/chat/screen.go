package chat

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Screen is where lines come from and go to. Print may be called while ReadLine waits.
type Screen interface {
	// ReadLine returns the next line without its end, or io.EOF.
	ReadLine() (string, error)
	Print(line string)
	// Prompt sets what stands before the line being typed, where there is one. It shows with the
	// next line that is read or printed.
	Prompt(prompt string)
	// Typing has typed called with the line as it is whenever it changes, where that can be seen. typed must not
	// block.
	Typing(typed func(line string))
	Close() error
}

// Open returns a screen with line editing when in and out are terminals, else a plain one, and
// whether it is the former.
func Open(in io.Reader, out io.Writer) (s Screen, interactive bool, err error) {
	keyboard, display := terminal(in), terminal(out)
	if keyboard == nil || display == nil {
		return newPlain(in, out), false, nil
	}
	state, err := term.MakeRaw(int(keyboard.Fd()))
	if err != nil {
		return nil, false, fmt.Errorf("terminal: %w", err)
	}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keyboard, display}, "")
	return &terminalScreen{term: t, keyboard: keyboard, display: display, state: state}, true, nil
}

// Colors tells whether out should be written to in colour: a terminal, and nobody objects.
func Colors(out io.Writer) bool {
	return terminal(out) != nil && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func terminal(v any) *os.File {
	if f, ok := v.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

// terminalScreen keeps the line being typed below what is printed.
type terminalScreen struct {
	term              *term.Terminal
	keyboard, display *os.File
	state             *term.State
}

func (s *terminalScreen) ReadLine() (string, error) {
	s.resize()
	line, err := s.term.ReadLine()
	if errors.Is(err, term.ErrPasteIndicator) {
		err = nil
	}
	return line, err
}

func (s *terminalScreen) Print(line string) {
	s.resize()
	_, _ = io.WriteString(s.term, line+"\n") // a terminal that is gone ends ReadLine
}

func (s *terminalScreen) Prompt(prompt string) { s.term.SetPrompt(prompt) }

func (s *terminalScreen) Typing(typed func(line string)) {
	s.term.AutoCompleteCallback = func(line string, _ int, key rune) (string, int, bool) {
		if unicode.IsPrint(key) {
			typed(line)
		}
		return "", 0, false
	}
}

func (s *terminalScreen) Close() error { return term.Restore(int(s.keyboard.Fd()), s.state) }

// resize is cheap enough to be asked for at every line, and works where no signal tells of it.
func (s *terminalScreen) resize() {
	if w, h, err := term.GetSize(int(s.display.Fd())); err == nil && w > 0 {
		_ = s.term.SetSize(w, h) // fails only as Print does
	}
}

// plainScreen is for pipes: lines in, lines out, no prompt.
type plainScreen struct {
	in  *bufio.Reader
	out io.Writer
}

func newPlain(in io.Reader, out io.Writer) *plainScreen {
	return &plainScreen{in: bufio.NewReader(in), out: out}
}

func (s *plainScreen) ReadLine() (string, error) {
	line, err := s.in.ReadString('\n')
	if errors.Is(err, io.EOF) && line != "" {
		err = nil
	}
	return strings.TrimRight(line, "\r\n"), err
}

func (s *plainScreen) Print(line string) {
	_, _ = fmt.Fprintln(s.out, line) // whoever closed the pipe does not want to know
}

func (s *plainScreen) Prompt(string) {}

func (s *plainScreen) Typing(func(string)) {}

func (s *plainScreen) Close() error { return nil }
