package databases

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
)

var postgres = kind{
	driver: "pgx", program: "postgres", debian: "postgresql", places: []string{"/usr/lib/postgresql/*/bin"},
	prepare: func(s *Server) *exec.Cmd {
		initdb := filepath.Join(filepath.Dir(realPath(s.program)), "initdb")
		return exec.Command(initdb, "-D", s.files(), "-U", "hermod", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	},
	args: func(s *Server) []string {
		return []string{
			"-D", s.files(), "-p", fmt.Sprint(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "max_connections=200", "-c", "fsync=off", // a killed process loses nothing by that, only a machine would
		}
	},
	admin: "postgres",
	dsn: func(s *Server, name string) string {
		return fmt.Sprintf("postgres://hermod@%s/%s?sslmode=disable", s.Addr(), name)
	},
	create: "CREATE DATABASE %s",
}

// StartPostgres starts a PostgreSQL server that trusts everybody.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	return start(t, &postgres, "")
}

func (s *Server) files() string { return filepath.Join(s.dir, "data") }

func realPath(file string) string {
	if path, err := filepath.EvalSymlinks(file); err == nil {
		return path
	}
	return file
}
