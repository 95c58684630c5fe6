package conf

import (
	"context"
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

// IsDocument tells whether a file or key with this name is read as configuration, where a folder
// is given.
func IsDocument(name string) bool { return slices.Contains(extensions, filepath.Ext(name)) }

// File is the path of a file, or of a folder whose configuration files are read in order of their
// names. What else lies in a folder is left alone; hidden files too, since mounted volumes keep
// their machinery in them.
type File string

// String implements Source.
func (f File) String() string { return string(f) }

// Read implements Source.
func (f File) Read(context.Context) ([]Document, error) {
	docs, err := f.documents()
	if err != nil {
		return nil, Problems{{Text: err.Error(), Source: f.String()}}
	}
	return docs, nil
}

func (f File) documents() ([]Document, error) {
	path := f.String()
	if path == "" {
		return nil, errors.New("the name of a source is empty: a file, a folder or the address of a config centre is allowed")
	}
	kvs, err := file.NewSource(path).Load()
	if err != nil {
		return nil, readError(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, readError(err)
	}
	if !info.IsDir() {
		if !IsDocument(path) {
			return nil, errors.New("the name of a configuration file ends in .yaml, .yml or .json")
		}
		return []Document{{Name: path, Text: kvs[0].Value, Lines: true}}, nil
	}
	kvs = slices.DeleteFunc(kvs, func(kv *config.KeyValue) bool { return !IsDocument(kv.Key) })
	if len(kvs) == 0 {
		return nil, errors.New("the directory has no .yaml, .yml or .json file")
	}
	docs := make([]Document, len(kvs))
	for i, kv := range kvs {
		docs[i] = Document{Name: filepath.Join(path, kv.Key), Text: kv.Value, Lines: true}
	}
	return docs, nil
}

// readError leaves out the operation and the path, which the problem names already.
func readError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("cannot be read: %w", pe.Err)
	}
	return fmt.Errorf("cannot be read: %w", err)
}
