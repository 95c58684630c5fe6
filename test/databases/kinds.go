package databases

import "testing"

// Start has what starts a server of each kind, by the name that a node's configuration has for its driver.
var Start = map[string]func(testing.TB) *Server{"postgres": StartPostgres, "mysql": StartMySQL}

// Need skips a test that is about to start a server where none is to be started.
func Need(t testing.TB, driver string) {
	t.Helper()
	kindOf(t, driver).need(t)
}

// StartIn starts a server that has its files below a folder, which everybody may enter.
func StartIn(t testing.TB, driver, folder string) *Server {
	t.Helper()
	return start(t, kindOf(t, driver), folder)
}

func kindOf(t testing.TB, driver string) *kind {
	t.Helper()
	switch driver {
	case "postgres":
		return &postgres
	case "mysql":
		if mysql.program != "" {
			return &mysql
		}
		return &mariadb
	}
	t.Fatalf("there is no server for %q", driver)
	return nil
}
