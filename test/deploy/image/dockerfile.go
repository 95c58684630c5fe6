package image

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// Dockerfile is a Dockerfile of two stages: one that builds, and one that is shipped.
type Dockerfile struct {
	Build, Final instructions.Stage
	// Warnings are what `docker build --check` would say.
	Warnings []string
}

// Parse reads the Dockerfile of a folder.
func Parse(dir string) (*Dockerfile, error) {
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return nil, err
	}
	result, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("Dockerfile: %w", err)
	}
	d := &Dockerfile{}
	for _, w := range result.Warnings {
		d.Warnings = append(d.Warnings, w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		d.Warnings = append(d.Warnings, fmt.Sprintf("%s: %s %v", rule, message, at))
	}})
	stages, _, err := instructions.Parse(result.AST, lint)
	if err != nil {
		return nil, fmt.Errorf("Dockerfile: %w", err)
	}
	if len(stages) != 2 {
		return nil, fmt.Errorf("Dockerfile: has %d stages; one that builds and one that is shipped are expected", len(stages))
	}
	d.Build, d.Final = stages[0], stages[1]
	return d, nil
}

// args are the build arguments of a stage, with the values that the caller gives.
func args(stage instructions.Stage, given map[string]string) map[string]string {
	values := map[string]string{}
	for _, command := range stage.Commands {
		declared, ok := command.(*instructions.ArgCommand)
		if !ok {
			continue
		}
		for _, arg := range declared.Args {
			if value, ok := given[arg.Key]; ok {
				values[arg.Key] = value
			} else if arg.Value != nil {
				values[arg.Key] = *arg.Value
			}
		}
	}
	return values
}

// unsupported is the error for an instruction that these tests would silently leave out.
func unsupported(stage string, command instructions.Command) error {
	return fmt.Errorf("Dockerfile: %s stage: %s is not known to these tests: teach them", stage, strings.ToUpper(command.Name()))
}
