package conf

import "context"

// Source is a place that configuration comes from: a file, a folder, a config centre. Its String
// names it in problems and logs, without credentials.
type Source interface {
	String() string
	// Read returns what is there now, in the order in which it counts. An error of type Problems
	// means that whoever wrote the configuration has to act; any other one, that the place cannot be
	// reached at the moment.
	Read(ctx context.Context) ([]Document, error)
	// Watch calls changed whenever Read may return something else than before, until ctx ends, and
	// once when it begins to see. It may call too often, and it may miss a change while the place
	// cannot be reached.
	Watch(ctx context.Context, changed func())
}

// Document is one text in YAML or JSON.
type Document struct {
	Name  string // what problems show
	Text  []byte
	Lines bool // whoever reads a problem can look at the lines of the text
}

// Files returns a source for each file or folder.
func Files(paths ...string) []Source {
	sources := make([]Source, len(paths))
	for i, path := range paths {
		sources[i] = File(path)
	}
	return sources
}
