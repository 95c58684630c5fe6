// Package archive writes backups of a node that keeps its data in files, and puts them back.
//
// A backup is one tar file, which common tools can look into:
//
//	manifest.json   what it is: format, version of the schema, when and by what it was made
//	hermod.db       the database, complete by itself
//	blobs/ID        the recordings that the database names, unless they are in a bucket
//	SHA256SUMS      of all before, as sha256sum --check reads it; without it the file is cut off
//
// The database is copied first and the recordings that it names after it, so that what it names is
// there. Files are written under another name, forced to the disk and then renamed: what has the name of
// a backup is one.
package archive

import (
	"fmt"
	"time"
)

// format is the version of this layout.
const format = 1

const (
	manifestName = "manifest.json"
	databaseName = "hermod.db"
	blobsName    = "blobs/"
	sumsName     = "SHA256SUMS"
)

// Manifest says what a backup is.
type Manifest struct {
	Format  int       `json:"format"`
	Schema  int64     `json:"schema"` // version of the database's
	Made    time.Time `json:"made"`   // when the copy of the database began: what was acknowledged before is in it
	Version string    `json:"version,omitempty"`
	Bucket  string    `json:"bucket,omitempty"` // where the recordings are that were not copied
}

// Summary is what was written or put back.
type Summary struct {
	Manifest
	Database   int64 // bytes
	Recordings int
	Bytes      int64 // of recordings
	// Gone counts recordings that were deleted between the copy of the database, which names them, and theirs.
	Gone int
}

func (s Summary) String() string {
	text := fmt.Sprintf("database of %d bytes, schema version %d, made %s", s.Database, s.Schema, s.Made.Format(time.RFC3339))
	if s.Bucket != "" {
		return text + fmt.Sprintf("; the recordings are in the bucket %s and were not copied", s.Bucket)
	}
	text += fmt.Sprintf("; %d recordings of %d bytes", s.Recordings, s.Bytes)
	if s.Gone > 0 {
		text += fmt.Sprintf("; %d were deleted meanwhile", s.Gone)
	}
	return text
}
