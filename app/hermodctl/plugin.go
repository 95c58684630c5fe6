package hermodctl

import (
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/game-im/hermod/app/hermodctl/scaffold"
)

func newPlugin(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugin",
		Short: "Begin a plugin of your own",
		Long: `plugin writes what a plugin of your own begins with. A plugin is linked into a node
of yours, which is a Go program of a few lines.`,
		Example: "  hermodctl plugin new no-novels",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no command %q; new is allowed", args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newPluginNew(s))
	return cmd
}

func newPluginNew(s *streams) *cobra.Command {
	p := scaffold.Plugin{Version: release(buildVersion())}
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Write a module with a node, a plugin, its test and a Dockerfile",
		Long: `new writes a Go module: a main, a plugin that refuses long messages and is there to be
changed, a test that runs it in a node, a configuration and a Dockerfile. It needs
Go, and nothing of Hermod's but its published module.`,
		Example: `  hermodctl plugin new no-novels
  hermodctl plugin new no-novels --dir ~/src/no-novels --replace ~/src/hermod`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("give one name, such as no-novels")
			}
			if err := scaffold.CheckName(args[0]); err != nil {
				return usagef("%v", err)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			p.Name = args[0]
			if p.Dir == "" {
				p.Dir = p.Name
			}
			if err := p.Write(); err != nil {
				return err
			}
			_, err := fmt.Fprintf(s.out, "%s is written. Now:\n\n  cd %s && go mod tidy && go test ./...\n  go run . -conf node.yaml\n", p.Dir, p.Dir)
			return err
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&p.Dir, "dir", "", "`folder` to write to, which is made, or empty (default NAME)")
	flags.StringVar(&p.Replace, "replace", "", "`folder` with a checkout of Hermod to build against, instead of the published module")
	return cmd
}

var releases = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// release returns a version that can be required, and nothing for one that cannot.
func release(version string) string {
	if releases.MatchString(version) {
		return version
	}
	return ""
}
