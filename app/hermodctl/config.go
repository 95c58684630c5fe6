package hermodctl

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/game-im/hermod/internal/conf"
)

func newConfig(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check a configuration, or show what it comes to",
		Long: `config reads a configuration as a node does: the defaults, the sources that
$HERMOD_CONF lists, those that are given here, then the flags. A source is a
file, a folder, or an address in a config centre such as
etcd://127.0.0.1:2379/hermod/prod.yaml.`,
		Example: `  hermodctl config check node.yaml
  hermodctl config print --json conf.d/ consul://127.0.0.1:8500/hermod/prod.yaml`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; check and print are allowed", args[0])
			}
			return cmd.Help()
		},
	}
	for _, sub := range []*cobra.Command{newConfigCheck(s), newConfigPrint(s)} {
		sub.Args = cobra.ArbitraryArgs
		cmd.AddCommand(sub)
	}
	return cmd
}

func newConfigCheck(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [SOURCE...]",
		Short: "Tell everything that is wrong with a configuration",
		Long: `check tells everything that is wrong, with the key, what is allowed, and where
the value came from. The exit code is 0 if nothing is, 2 if something is, and 1 if
a source cannot be reached.`,
		Example: "  hermodctl config check node.yaml",
	}
	asJSON := cmd.Flags().Bool("json", false, "print the problems as JSON")
	flags := newOverrideFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		_, err := flags.load(cmd.Context(), args)
		var problems conf.Problems
		if err != nil && !errors.As(err, &problems) {
			return err
		}
		switch {
		case *asJSON:
			if err := writeJSON(s, append(conf.Problems{}, problems...)); err != nil {
				return err
			}
		case err == nil:
			fmt.Fprintln(s.out, "ok")
		default:
			fmt.Fprintln(s.out, err)
		}
		if err != nil {
			return errWrong
		}
		return nil
	}
	return cmd
}

func newConfigPrint(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "print [SOURCE...]",
		Short: "Show the value of every key, and where it comes from",
		Long: `print shows the configuration that a node would run with, as YAML with the source
of each value in a comment. Secrets are hidden.`,
		Example: "  hermodctl config print node.yaml",
	}
	asJSON := cmd.Flags().Bool("json", false, "print a list of {key, value, source, live}")
	flags := newOverrideFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		m, err := flags.load(cmd.Context(), args)
		var problems conf.Problems
		switch {
		case errors.As(err, &problems):
			fmt.Fprintln(s.err, err)
			return errWrong
		case err != nil:
			return err
		case *asJSON:
			return writeJSON(s, m.Values())
		}
		text, err := m.YAML()
		if err != nil {
			return err
		}
		_, err = s.out.Write(text)
		return err
	}
	return cmd
}

// errWrong ends a command with the exit code for a wrong configuration when all has been said.
var errWrong = errors.New("the configuration is wrong")

func writeJSON(s *streams, v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
