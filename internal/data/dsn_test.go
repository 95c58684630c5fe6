package data

import (
	"strings"
	"testing"
)

// TestProblemsOfAnAddressShowNoSecret: a password with anything in it that is not as the driver wants it, and
// addresses of other drivers. What is said tells what is allowed.
func TestProblemsOfAnAddressShowNoSecret(t *testing.T) {
	t.Parallel()
	const url, other, mysql = "%2F for /", "postgres://user:password@host:5432/hermod", "user:password@tcp(host:3306)/hermod"
	for _, c := range []struct{ driver, dsn, want string }{
		{"postgres", "postgres://hermod:hunter/two@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:hunter?two@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:hunter#two@127.0.0.1:5432/hermod", url},
		{"postgres", "postgresql://hermod:hunter%two@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:hunter two@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:p@hunter/w:t?o@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:1234/hunter@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:1234?hunter@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:1234#hunter@127.0.0.1:5432/hermod", url},
		{"postgres", "postgres://hermod:hunter@127.0.0.1/hermod?sslmode=on", "sslmode is invalid"},
		{"postgres", "jdbc:postgresql://127.0.0.1/hermod?user=hermod&password=hunter", other},
		{"postgres", "mysql://hermod:hunter@127.0.0.1/hermod", other},
		{"postgres", "hermod:p@hun:ter@tcp(127.0.0.1:3306)/hermod", "keyword/value"},
		{"postgres", "host=h password='hun\\'ter' port=x", "invalid port"},
		{"mysql", "mysql://hermod:hunter@127.0.0.1:3306/hermod", mysql},
		{"mysql", "postgres://hermod:hunter@127.0.0.1:3306/hermod", mysql},
		{"mysql", "hermod:hunter@127.0.0.1:3306/hermod", mysql},
		{"mysql", "hermod:a@hunter/two@tcp(127.0.0.1:3306)", mysql},
		{"mysql", "hermod:hunter/two@tcp(127.0.0.1:3306)", mysql},
		{"mysql", "hermod:hunter@tcp(127.0.0.1:3306", mysql},
		{"mysql", "hermod:hunter@tcp(127.0.0.1:3306)", "missing the slash"},
		{"mysql", "hermod:hunter@tcp(127.0.0.1:3306)/hermod?parseTime=maybe", "invalid bool value: maybe"},
	} {
		db, err := Open(t.Context(), Options{Driver: c.driver, DSN: c.dsn}, quiet())
		if err == nil {
			t.Fatal("opened", db.Close())
		}
		if text := err.Error(); !strings.Contains(text, c.want) || strings.Contains(text, "hun") {
			t.Errorf("%s %s: %v; want %q and nothing of the password", c.driver, c.dsn, err, c.want)
		}
	}
}

// TestAddressesThatAreRead: what PostgreSQL's users write, with secrets that were written as they have to be.
func TestAddressesThatAreRead(t *testing.T) {
	t.Parallel()
	const secret = "p@ss/w:o?rd#%1 " //nolint:gosec // of no server
	const inURL = "p%40ss%2Fw%3Ao%3Frd%23%251%20"
	for dsn, want := range map[string]string{
		"postgres://hermod:" + inURL + "@[::1]:5432/hermod?sslmode=disable":               "hermod",
		"postgres://hermod:" + inURL + "@db":                                              "",
		"postgres:///hermod?host=/run/postgresql&user=hermod@tenant&password=" + inURL:    "hermod",
		"postgresql://hermod:" + inURL + "@a:5432,b:5432/her%40mod":                       "her@mod",
		"host=/run/postgresql user=hermod password='" + secret + "' dbname='odd ://name'": "odd ://name",
	} {
		c, err := postgresConfig(Options{DSN: dsn}.withDefaults())
		if err != nil {
			t.Errorf("%s: %v", dsn, err)
		} else if c.Password != secret || c.Database != want {
			t.Errorf("%s: read as %q, %q", dsn, c.Password, c.Database)
		}
	}
	c, err := mysqlConfig(Options{DSN: "hermod:" + secret + "@unix(/run/mysqld/mysqld.sock)/hermod?parseTime=true&charset=latin1"})
	if err != nil || c.Passwd != secret || c.Net != "unix" || c.DBName != "hermod" || c.Collation != "utf8mb4_bin" {
		t.Errorf("MySQL's is read as %+v, %v", c, err)
	}
}
