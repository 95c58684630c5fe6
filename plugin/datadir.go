package plugin

import "context"

type dataDirKey struct{}

// WithDataDir returns a context that carries the folder of a node's files; nodes and tests make it.
func WithDataDir(ctx context.Context, dir string) context.Context {
	return context.WithValue(ctx, dataDirKey{}, dir)
}

// DataDir returns the folder that the node keeps its files in, data.dir, from the context of a plugin's
// Start; empty from any other context. A plugin makes a folder below it that bears its name.
func DataDir(ctx context.Context) string {
	dir, _ := ctx.Value(dataDirKey{}).(string)
	return dir
}
