package blob

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Standard returns the stores that are shipped: dir and s3.
func Standard() []plugin.Plugin {
	return []plugin.Plugin{&folder{}, &bucket{keys: S3Options{Region: "us-east-1", Timeout: 10 * time.Second}}}
}

// folder is the plugin dir: a Dir in the node's own folder.
type folder struct{ *Dir }

func (*folder) Name() string { return "dir" }

func (f *folder) Start(ctx context.Context) (err error) {
	if f.Dir, err = Open(filepath.Join(plugin.DataDir(ctx), "blobs"), plugin.Logger(ctx)); err != nil {
		return fmt.Errorf("data.dir: %w", err) // which it is the first to use
	}
	return nil
}

func (f *folder) Stop(context.Context) error { return f.Close() }

// bucket is the plugin s3: an S3 by the keys that it is given.
type bucket struct {
	*S3
	keys S3Options
}

func (*bucket) Name() string { return "s3" }

func (b *bucket) Config() any { return &b.keys }

func (b *bucket) Start(ctx context.Context) (err error) {
	b.S3, err = OpenS3(ctx, b.keys, plugin.Logger(ctx))
	return err
}
