package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
)

// program is one of those that run here.
type program struct {
	name   string
	lines  chan string // what it has told people; closed at its end
	cancel context.CancelFunc
	ended  func() error // waits for the end
}

// start starts a program, which runs until it is stopped.
func start(name string, run func(ctx context.Context, said io.Writer) error) *program {
	ctx, cancel := context.WithCancel(context.Background())
	said, writer := io.Pipe()
	p := &program{name: name, lines: make(chan string, 100), cancel: cancel}
	result := make(chan error, 1)
	go func() {
		result <- run(ctx, writer)
		_ = writer.Close() // a pipe does not fail to
	}()
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(said); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	p.ended = sync.OnceValue(func() error {
		for range p.lines { // which must not hold it up
		}
		if err := <-result; err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	return p
}

// says waits for a line that begins with a word, and returns the next word of it.
func (p *program) says(ctx context.Context, word string) (string, error) {
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				if err := p.ended(); err != nil {
					return "", err
				}
				return "", fmt.Errorf("%s has stopped", p.name)
			}
			if words := strings.Fields(line); len(words) > 1 && words[0] == word {
				return words[1], nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("%s is not ready: %w", p.name, context.Cause(ctx))
		}
	}
}

// stop has the program end, and waits for that.
func (p *program) stop() error {
	p.cancel()
	return p.ended()
}
