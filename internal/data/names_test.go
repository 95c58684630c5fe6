package data

import (
	_ "embed"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// mysqlReserved are the words that MySQL 9.7 does not take for names unless they are quoted. MariaDB, which stands for it
// where no other is given, does not have all of them.
//
//go:embed testdata/mysql_reserved.txt
var mysqlReserved string

var (
	sqlAside  = regexp.MustCompile(`--.*|"[^"]*"|@\w+|\w+\(\)`) // comments, quoted names, variables, functions
	sqlOwn    = regexp.MustCompile(`\b[a-z][a-z0-9_]*\b`)       // words of SQL itself are in capitals
	sqlTypes  = strings.Fields("bigint blob boolean double int integer longblob mediumtext smallint text varbinary")
	sqlValues = strings.Fields("false true")
)

// TestNamesAreNotReserved: tables and columns are not called what MySQL 8 and later take for a word of theirs.
func TestNamesAreNotReserved(t *testing.T) {
	t.Parallel()
	reserved := strings.Fields(mysqlReserved)
	files, err := fs.Glob(migrations, "migrations/mysql/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d migrations, %v", len(files), err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(migrations, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range sqlOwn.FindAllString(sqlAside.ReplaceAllString(string(text), ""), -1) {
			if slices.Contains(reserved, name) && !slices.Contains(sqlTypes, name) && !slices.Contains(sqlValues, name) {
				t.Errorf("%s: %s is a reserved word of MySQL; quote it, here and in every statement", file, name)
			}
		}
	}
}
