package hermodctl

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/archive"
)

func newBackup(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy everything a node on SQLite has stored into one file, while it runs",
		Long: `backup writes the database and the recordings of a node that stores in SQLite into
FILE, a tar file with checksums. The node may run, and goes on storing: what it had
acknowledged before is in the backup. FILE must not exist, and gets its name when it
is complete. Run it where the node's data is, as the same user and with the same
configuration. Recordings in a bucket stay there and are not copied. PostgreSQL and
MySQL have tools of their own for this.`,
		Example: `  hermodctl backup /backups/hermod-monday.tar
  HERMOD_DATA_DIR=/data hermodctl backup --conf node.yaml /backups/hermod.tar`,
	}
	load := storeFlags(cmd, "backup")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, store, err := load(cmd, args)
		if err != nil {
			return err
		}
		made, err := archive.Write(cmd.Context(), store, file, buildVersion())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "%s: %s\n", file, made)
		return err
	}
	return cmd
}

func newRestore(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of what a stopped node has stored",
		Long: `restore puts back what backup wrote, in the place of the data of a node that is
stopped. It refuses while a node runs there, checks all of FILE before it changes
anything, and keeps what was there in a folder named replaced-TIME, to be deleted
by whoever is sure. An interrupted restore is repeated.`,
		Example: `  hermodctl restore /backups/hermod-monday.tar
  HERMOD_DATA_DIR=/data hermodctl restore --conf node.yaml /backups/hermod.tar`,
	}
	load := storeFlags(cmd, "restore")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file, store, err := load(cmd, args)
		if err != nil {
			return err
		}
		r, err := archive.Restore(cmd.Context(), file, store)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "restored: %s\n", r.Summary)
		if store.Bucket != "" && r.Recordings > 0 {
			fmt.Fprintf(s.out, "the node looks for recordings in the bucket %s: copy the files of %s there\n", store.Bucket, store.Blobs)
		}
		for _, dir := range r.Replaced {
			fmt.Fprintf(s.out, "what was there before: %s\n", dir)
		}
		return nil
	}
	return cmd
}

// storeFlags gives a command the flags of a node's configuration, and returns what finds the file that
// the command names and the store that it is about.
func storeFlags(cmd *cobra.Command, what string) func(*cobra.Command, []string) (string, archive.Store, error) {
	cmd.Args = cobra.ArbitraryArgs
	var sources []string
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringArrayVar(&sources, "conf", nil, "as the node is started with: file, folder or address in a config centre; may be repeated")
	overrides := newOverrideFlags(flags)
	return func(cmd *cobra.Command, args []string) (string, archive.Store, error) {
		if len(args) != 1 {
			return "", archive.Store{}, usagef("%s takes one argument, the FILE", what)
		}
		m, err := overrides.load(cmd.Context(), sources)
		if err != nil {
			return "", archive.Store{}, err
		}
		store, err := storeOf(m.Config)
		return args[0], store, err
	}
}

func storeOf(c *conf.Config) (archive.Store, error) {
	d := c.GetData()
	if driver := d.GetDatabase().GetDriver(); driver != "sqlite" {
		return archive.Store{}, fmt.Errorf("data.database.driver is %s, which has tools of its own: pg_dump or mariadb-dump first, then a copy of the folder blobs in data.dir", driver)
	}
	store := archive.Store{
		Database: data.Options{DSN: d.GetDatabase().GetDsn(), Dir: d.GetDir()},
		Blobs:    filepath.Join(d.GetDir(), "blobs"),
	}
	if blobs := d.GetBlobs(); blobs.GetStore() == conf.BlobsS3 {
		store.Bucket = "s3://" + blobs.GetS3().GetBucket() + "/" + blobs.GetS3().GetPrefix()
	}
	return store, nil
}
