package databases

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	_ "github.com/go-sql-driver/mysql" // registers the driver "mysql"
)

// MySQL names the mysqld, 8.0 or later, of a MySQL server that StartMySQL starts in place of MariaDB's, which Debian has.
const MySQL = "HERMOD_TEST_MYSQLD"

var mysql = kind{
	driver: "mysql", program: os.Getenv(MySQL),
	prepare: func(s *Server) *exec.Cmd {
		return exec.Command(s.program, "--no-defaults", "--initialize-insecure", "--datadir="+s.files())
	},
	args: func(s *Server) []string {
		return []string{
			"--no-defaults", "--datadir=" + s.files(), "--bind-address=127.0.0.1", fmt.Sprint("--port=", s.port),
			"--socket=" + s.dir + "/socket", "--pid-file=" + s.dir + "/pid", "--mysqlx=OFF", "--secure-file-priv=NULL", "--max-connections=200",
			"--skip-log-bin", "--innodb-flush-log-at-trx-commit=2", // see postgres
		}
	},
	admin:  "mysql",
	dsn:    func(s *Server, name string) string { return fmt.Sprintf("root@tcp(%s)/%s", s.Addr(), name) },
	create: "CREATE DATABASE %s",
}

// StartMySQL starts a server of MariaDB, or of MySQL where the environment names one, that lets everybody in.
func StartMySQL(t testing.TB) *Server {
	t.Helper()
	return start(t, kindOf(t, "mysql"), "")
}
