package hermodctl

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/game-im/hermod/app/hermodctl/doctor"
	"github.com/game-im/hermod/internal/conf"
)

func newDoctor(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what keeps a node from running well, and what to do",
		Long: `doctor examines a configuration and the machine that it is run on: ports, data
directory, store, bucket of recordings, registry, clock, limits. A node may be running meanwhile. Run it where the
node runs, as the same user and with the same flags.

The exit code is 1 if a node would not start or not serve.`,
		Example: `  hermodctl doctor
  hermodctl doctor --conf node.yaml --json`,
	}
	var sources []string
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&sources, "conf", nil, "as the node is started with: file, folder or address in a config centre; may be repeated")
	asJSON := flags.Bool("json", false, "print the findings as JSON")
	overrides := newOverrideFlags(flags)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		findings := doctor.Examine(cmd.Context(), func(ctx context.Context) (*conf.Merged, error) {
			return overrides.load(ctx, sources)
		})
		if *asJSON {
			if err := writeJSON(s, findings); err != nil {
				return err
			}
		} else {
			report(s.out, findings)
		}
		for _, f := range findings {
			if f.State == doctor.Failure {
				return errUnwell
			}
		}
		return nil
	}
	return cmd
}

// errUnwell ends the command when a node would not run.
var errUnwell = errors.New("something has to be done before a node can run")

func report(out io.Writer, findings []doctor.Finding) {
	for _, f := range findings {
		fmt.Fprintf(out, "%-8s %-14s %s\n", f.State, f.Check, f.Text)
		if f.Advice != "" {
			fmt.Fprintf(out, "%-8s %-14s → %s\n", "", "", f.Advice)
		}
	}
}
