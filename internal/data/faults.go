package data

import (
	sqldriver "database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fault is what an error of a database tells about whose it is.
type fault int

const (
	noFault       fault = iota // not an error of the database
	rowFault                   // of what was written; without that, the rest may succeed
	conflictFault              // two transactions stood in each other's way: the same again may succeed
	storeFault                 // of the database as a whole; anything unknown is
)

func faultOf(err error) fault {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &lite):
		return sqliteFault(lite)
	case errors.As(err, &pg):
		return postgresFault(pg)
	case errors.As(err, &my):
		return mysqlFault(my)
	case errors.Is(err, mysql.ErrPktTooLarge):
		return rowFault
	}
	return noFault
}

func sqliteFault(e *sqlite.Error) fault {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG,
		sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return rowFault
	}
	return storeFault
}

// postgresFault goes by classes of SQLSTATE: PostgreSQL 15, appendix A.
func postgresFault(e *pgconn.PgError) fault {
	switch e.Code {
	case "40001", "40P01", "55P03": // serialization, deadlock, lock not available
		return conflictFault
	}
	for _, class := range []string{
		"21", // cardinality
		"22", // data
		"23", // integrity
		"42", // names and syntax: such as a table that somebody has changed
		"54", // too large
		"P0", // raised by a trigger
	} {
		if strings.HasPrefix(e.Code, class) {
			return rowFault
		}
	}
	return storeFault
}

// mysqlFault goes by the numbers of MySQL 8's and MariaDB's error messages, which agree on these.
func mysqlFault(e *mysql.MySQLError) fault {
	switch e.Number {
	case 1205, 1213, 1020: // lock wait, deadlock, record has changed
		return conflictFault
	case 1048, 1054, 1062, 1064, 1146, 1264, 1292, 1364, 1366, 1406, 1452, 1644, 1690, 3140, 3819, 4025:
		// null, column, duplicate, syntax, table, range, value, default, text, length, foreign key, SIGNAL,
		// overflow, JSON, checks of MySQL and of MariaDB
		return rowFault
	case 1105, 1153: // no number of its own, and a packet that is too large
		if strings.Contains(e.Message, "max_allowed_packet") {
			return rowFault
		}
	}
	return storeFault
}

// isDuplicate tells whether a row was refused since there is one of its key.
func isDuplicate(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &lite):
		return lite.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY || lite.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE
	case errors.As(err, &pg):
		return pg.Code == "23505"
	case errors.As(err, &my):
		return my.Number == 1062
	}
	return false
}

// isLostConnection tells whether an error is of the connection to a server, and not of what was asked.
func isLostConnection(err error) bool {
	for _, lost := range []error{sqldriver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "57P01" // the server is shutting down
}

// isMissingTable tells whether a database refused a query because there is no such table.
func isMissingTable(err error) bool {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	switch {
	case errors.As(err, &lite): // which has no code for it
		return lite.Code() == sqlite3.SQLITE_ERROR && strings.Contains(lite.Error(), "no such table")
	case errors.As(err, &pg):
		return pg.Code == "42P01"
	case errors.As(err, &my):
		return my.Number == 1146
	}
	return false
}
