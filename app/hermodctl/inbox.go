package hermodctl

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/game-im/hermod/sdk/upstream"
)

func newInbox(s *streams) *cobra.Command {
	var f gatewayFlags
	cmd := &cobra.Command{
		Use:   "inbox OPENID...",
		Short: "Show how many pushes are kept for users",
		Long: `inbox shows what is kept for users until they come: pushes with offline storage that
they have not acknowledged and that have not expired.`,
		Example: `  hermodctl inbox alice bob
  hermodctl inbox alice --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("give the openid of a user, or of several")
			}
			return nil
		},
	}
	asJSON := cmd.Flags().Bool("json", false, "print a line of JSON for each user")
	f.register(cmd.Flags(), "how long to wait for one answer")
	cmd.RunE = func(cmd *cobra.Command, openids []string) error {
		client, err := f.connect()
		if err != nil {
			return err
		}
		defer client.Close() //nolint:errcheck // nothing is pending
		inboxes := make([]upstream.InboxInfo, len(openids))
		for i, openid := range openids {
			if inboxes[i], err = client.Inbox(cmd.Context(), openid); err != nil {
				return describe(err, f.addr)
			}
		}
		if *asJSON {
			return writeInboxLines(s, inboxes)
		}
		return writeInboxTable(s, inboxes)
	}
	return cmd
}

func writeInboxLines(s *streams, inboxes []upstream.InboxInfo) error {
	lines := json.NewEncoder(s.out)
	lines.SetEscapeHTML(false)
	for _, inbox := range inboxes {
		if err := lines.Encode(inbox); err != nil {
			return err
		}
	}
	return nil
}

func writeInboxTable(s *streams, inboxes []upstream.InboxInfo) error {
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "OPENID\tPUSHES\tBYTES\tOLDEST")
	now := time.Now()
	for _, inbox := range inboxes {
		oldest := "-"
		if !inbox.Oldest.IsZero() {
			oldest = since(now, inbox.Oldest)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%s\n", printable(inbox.OpenID), inbox.Pushes, inbox.Bytes, oldest)
	}
	return table.Flush()
}
