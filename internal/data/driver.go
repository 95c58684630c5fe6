package data

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/gorm"
)

// driver is all that is particular to one kind of database: another one is an entry in drivers, a
// file with its dialect, and a folder of migrations.
type driver struct {
	goose      database.Dialect
	migrations string // folder below migrations
	open       func(Options) (pools, error)
	version    func(Options) (*sql.DB, error) // for reading the schema's version, where that must not make anything
	locker     func() (lock.SessionLocker, error)
	// patient and usual are statements, if not empty, that have the server let the statements of a
	// connection take as long as they do, and no more. To change a large table takes its time.
	patient, usual string
	// probe is a statement, if not empty, that changes nothing and fails where nothing can be written.
	probe   string
	dialect dialect
}

var drivers = map[string]driver{
	"sqlite":   sqliteDriver,
	"postgres": postgresDriver,
	"mysql":    mysqlDriver,
}

func driverOf(name string) (driver, error) {
	d, ok := drivers[name]
	if !ok {
		return driver{}, fmt.Errorf("data: driver %q is unknown; allowed: %s", name, strings.Join(slices.Sorted(maps.Keys(drivers)), ", "))
	}
	return d, nil
}

// pools are the connections to an opened database. write has exactly one, and so has index; without it, who writes
// the index uses write.
type pools struct {
	name        string // of the database, for people
	write, read *sql.DB
	index       *sql.DB
	dialector   func(gorm.ConnPool) gorm.Dialector
	release     func() error // of what Hold holds; nil: nothing
}

func (p pools) close() error {
	err := errors.Join(p.read.Close(), p.write.Close())
	if p.index != nil {
		err = errors.Join(err, p.index.Close())
	}
	if p.release != nil {
		err = errors.Join(err, p.release())
	}
	return err
}

// dialect is where the SQL of databases differs. All of them take double quotes around names, and
// statements are written with ? for their arguments.
type dialect struct {
	begin string // a transaction that will write
	// forUpdate ends a query for rows that other nodes must not change before the transaction is over.
	forUpdate string
	numbered  bool // arguments are $1, $2, …
	remote    bool // statements travel, and may take until their timeout
	// once returns what ends the insertion of a row that may be there already, and then stays as it is.
	// key is any column of the table.
	once func(key string) string
	// raiseCursor ends the insertion of a cursor that may be there already, and then only ever rises.
	raiseCursor string
	// raiseSeen is that for the time when a user was last there.
	raiseSeen string
	// renewSum ends the insertion of a messageSum that may be there already, and then gives way.
	renewSum string
	// bulk writes whole batches in few statements. Without it each row has a statement of its own, which is
	// faster where statements do not travel.
	bulk bulk
	// search is the index of what messages say.
	search searchEngine
}

// placed returns the query with arguments as the database names them. No statement of this package
// has a question mark that is not an argument.
func (d *dialect) placed(query string) string {
	if !d.numbered {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// onConflictDoNothing is once as SQLite and PostgreSQL have it.
func onConflictDoNothing(string) string { return ` ON CONFLICT DO NOTHING` }
