package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
)

// Free space, in bytes, below which a node has not long to go, or is not to be started.
const (
	littleSpace = 1 << 30
	noSpace     = 64 << 20
)

// dataDir finds out whether a node could write where it is to.
func dataDir(_ context.Context, c *conf.Config) []Finding {
	dir, err := filepath.Abs(c.GetData().GetDir())
	if err != nil {
		return []Finding{failure(err.Error(), "set data.dir to an absolute path")}
	}
	at, made := existing(dir)
	info, err := os.Stat(at)
	switch {
	case err != nil:
		return []Finding{failure("data.dir "+dir+": "+err.Error(), "correct data.dir, or the rights of the user that the node runs as")}
	case !info.IsDir():
		return []Finding{failure("data.dir "+dir+": "+at+" is no directory", "set data.dir to a directory, or move that file away")}
	}
	probe, err := os.CreateTemp(at, ".hermodctl-")
	if err != nil {
		return []Finding{failure("data.dir "+dir+" cannot be written: "+err.Error(), "run this as the user that the node runs as; if it still fails, give him the directory (chown)")}
	}
	defer os.Remove(probe.Name()) //nolint:errcheck // it was made a moment ago
	defer probe.Close()           //nolint:errcheck // nothing was written
	text := "data.dir " + dir + " is writable"
	if !made {
		text = "data.dir " + dir + " does not exist yet and can be made"
	}
	return []Finding{ok(text), freeSpace(at)}
}

// existing returns the nearest directory above that exists, and whether that is the directory itself.
func existing(dir string) (string, bool) {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			return at, at == dir
		}
	}
}

func freeSpace(dir string) Finding {
	free, known := availableBytes(dir)
	text := fmt.Sprintf("%s has %.1f GiB free", dir, float64(free)/(1<<30))
	const advice = "make room, move data.dir to a larger volume, or have rooms forget earlier (data.retention)"
	switch {
	case !known:
		return ok(dir + ": how much space is free is not known on this system")
	case free < noSpace:
		return failure(text, advice)
	case free < littleSpace:
		return warning(text, advice)
	}
	return ok(text)
}

// store finds out whether the database can be read and whether this program knows its schema.
func store(ctx context.Context, c *conf.Config) []Finding {
	d := c.GetData()
	v, err := data.ReadVersion(ctx, data.Options{Driver: d.GetDatabase().GetDriver(), DSN: d.GetDatabase().GetDsn(), Dir: d.GetDir()})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{ok("there is no database yet; the first start makes one")}
	case err != nil:
		return []Finding{failure("the database cannot be read: "+err.Error(), "look at data.database, and whether the server answers; for a file at its rights, and if it is damaged, restore the last backup")}
	case v.Schema > v.Known:
		return []Finding{failure(fmt.Sprintf("the schema has version %d and this hermodctl knows %d", v.Schema, v.Known),
			"start a node that is at least as new as the one that wrote it, or restore a backup of before")}
	case v.Schema < v.Known:
		return []Finding{ok(fmt.Sprintf("the schema has version %d; a start brings it to %d", v.Schema, v.Known))}
	}
	return []Finding{ok(fmt.Sprintf("the database can be read, schema version %d", v.Schema))}
}
