package data

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// What parsers say of an address repeats parts of it. Those are of the password wherever it has something in it that
// the parser takes for the end of it, such as a slash; so these errors say what is allowed instead.
var (
	errPostgresURL = errors.New("dsn cannot be read as a URL; in user and password write %25 for %, %2F for /, %3F for ?, %23 for #, %40 for @, %3A for : and %20 for a blank")
	errMySQLDSN    = errors.New("dsn cannot be read; mysql needs one such as user:password@tcp(host:3306)/hermod or user:password@unix(/path/of/socket)/hermod, with the password as it is")
)

// checkPostgresDSN refuses a URL of which a part would be taken for another one.
func checkPostgresDSN(dsn string) error {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		if before, _, _ := strings.Cut(dsn, "="); strings.Contains(before, "://") {
			return errors.New("dsn is a URL of something else; postgres needs one such as postgres://user:password@host:5432/hermod")
		}
		return nil // keywords of libpq
	}
	u, err := url.Parse(dsn)
	switch {
	case err != nil, strings.Contains(u.EscapedPath()+u.EscapedFragment(), "@"):
		return errPostgresURL
	case u.User == nil && strings.Contains(u.RawQuery, "@") && !u.Query().Has("user"):
		return errPostgresURL
	}
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, _ := strings.Cut(part, "="); strings.Contains(name, "@") {
			return errPostgresURL
		}
	}
	return nil
}

// postgresProblem is what the parser says, without the address that it says it of.
func postgresProblem(err error) error {
	text := err.Error()
	if at := strings.LastIndex(text, "`: "); at >= 0 {
		text = text[at+len("`: "):]
	}
	return fmt.Errorf("dsn cannot be used: %s", text)
}

// mysqlProblem is what the parser says, unless it has parts of the address in it.
func mysqlProblem(err error) error {
	if text := err.Error(); strings.HasPrefix(text, "default addr for network") || strings.HasPrefix(text, "invalid dbname") {
		return errMySQLDSN
	}
	return fmt.Errorf("%w; %w", errMySQLDSN, err)
}
