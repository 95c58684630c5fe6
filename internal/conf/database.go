package conf

import (
	"regexp"
	"strings"
)

// databaseAddresses are examples for people, by driver.
var databaseAddresses = map[string]string{
	"postgres": "postgres://user:password@host:5432/hermod",
	"mysql":    "user:password@tcp(host:3306)/hermod",
}

// checkDatabase finds the address of a server where the path of a file is expected. Without it the node would make a
// file of that name, password included, and store there what people think is in their database. The address is not shown.
func checkDatabase(d *Data_Database, ps *Problems) {
	const at = "data.database.dsn"
	example, server := databaseAddresses[d.GetDriver()]
	switch {
	case server && d.GetDsn() == "":
		ps.add(at, "is empty; data.database.driver %s needs an address such as %s (HERMOD_DB_DSN sets it)", d.GetDriver(), example)
	case d.GetDriver() == "sqlite" && isAddress(d.GetDsn()):
		ps.add(at, "looks like an address, and data.database.driver sqlite takes the path of a file; "+
			"for a server set data.database.driver to postgres or mysql (HERMOD_DB_DRIVER sets it)")
	}
}

// anAddress is a URL, or user:password@tcp(host:port)/database of MySQL, or what libpq takes in the place of a URL.
var anAddress = regexp.MustCompile(`^[\w+:]+://|@\w*\(.*\)/|^\s*(host|hostaddr|port|user|password|dbname|service|sslmode)\s*=`)

func isAddress(dsn string) bool {
	return !strings.HasPrefix(dsn, "/") && !strings.HasPrefix(dsn, ".") && anAddress.MatchString(dsn)
}
