package databases

import "testing"

// Start has what starts a server of each kind, by the name that a node's configuration has for its driver.
var Start = map[string]func(testing.TB) *Server{"postgres": StartPostgres, "mysql": StartMariaDB}
