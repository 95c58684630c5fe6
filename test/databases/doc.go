// Package databases starts the database servers that tests store in: real ones, each a process of its
// own that listens on the loopback, with its files in a folder that goes with the test.
//
//	StartPostgres  PostgreSQL (Debian: postgresql)
//	StartMySQL     MariaDB (Debian: mariadb-server), or MySQL where HERMOD_TEST_MYSQLD is the path of a mysqld
//
// Tests that need one are skipped unless HERMOD_TEST_DATABASES is set, as `make race` and `make check`
// do; where it is, a server that is not installed is a failure. Starting one takes a second or two.
//
// A Server belongs to the test that started it: its methods are for that test's goroutine and fail the
// test when the server does not do what it should.
package databases
