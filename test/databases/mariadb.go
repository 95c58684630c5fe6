package databases

import (
	"fmt"
	"os/exec"
)

var mariadb = kind{
	driver: "mysql", program: "mariadbd", debian: "mariadb-server", places: []string{"/usr/sbin", "/usr/bin"},
	prepare: func(s *Server) *exec.Cmd {
		return exec.Command(find(s.t, s.kind, "mariadb-install-db"), "--no-defaults", "--datadir="+s.files(),
			"--auth-root-authentication-method=normal", "--skip-test-db")
	},
	args: func(s *Server) []string {
		return []string{
			"--no-defaults", "--datadir=" + s.files(), "--bind-address=127.0.0.1", fmt.Sprint("--port=", s.port),
			"--socket=" + s.dir + "/socket", "--pid-file=" + s.dir + "/pid", "--skip-grant-tables", "--max-connections=200",
			"--innodb-flush-log-at-trx-commit=2", "--innodb-flush-method=nosync", // see postgres
		}
	},
	admin:  "mysql",
	dsn:    func(s *Server, name string) string { return fmt.Sprintf("hermod@tcp(%s)/%s", s.Addr(), name) },
	create: "CREATE DATABASE %s",
}
