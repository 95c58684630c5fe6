package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/go-kratos/kratos/v2/config"
	"github.com/go-kratos/kratos/v2/config/file"
)

var extensions = []string{".yaml", ".yml", ".json"}

// document is one text with the name that problems show.
type document struct {
	name  string
	text  []byte
	lines bool // whoever reads a problem can look at the lines of the text
}

// documents reads a file, or the configuration files of a directory in order of their names. What
// else lies in a directory is left alone; hidden files too, since mounted volumes keep their
// machinery in them.
func documents(path string) ([]document, error) {
	kvs, err := file.NewSource(path).Load()
	if err != nil {
		return nil, readError(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, readError(err)
	}
	if !info.IsDir() {
		if !isConfiguration(path) {
			return nil, errors.New("the name of a configuration file ends in .yaml, .yml or .json")
		}
		return []document{{name: path, text: kvs[0].Value, lines: true}}, nil
	}
	kvs = slices.DeleteFunc(kvs, func(kv *config.KeyValue) bool { return !isConfiguration(kv.Key) })
	if len(kvs) == 0 {
		return nil, errors.New("the directory has no .yaml, .yml or .json file")
	}
	docs := make([]document, len(kvs))
	for i, kv := range kvs {
		docs[i] = document{name: filepath.Join(path, kv.Key), text: kv.Value, lines: true}
	}
	return docs, nil
}

func isConfiguration(name string) bool { return slices.Contains(extensions, filepath.Ext(name)) }

// readError leaves out the operation and the path, which the problem names already.
func readError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("cannot be read: %w", pe.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}
