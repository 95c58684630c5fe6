package data

import (
	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
)

// sqliteDialector teaches GORM SQLite's SQL on the driver modernc.org/sqlite. The dialector that
// is usual for that engine, glebarez/sqlite, brings a driver of its own which compiles a prepared
// statement anew each time it runs: a stored message cost nearly twice the CPU with it, and both
// register the name "sqlite", so that they cannot be linked together. GORM migrates nothing here,
// which leaves little of a dialector to write.
type sqliteDialector struct {
	pool gorm.ConnPool
}

func (d sqliteDialector) Name() string { return "sqlite" }

func (d sqliteDialector) Initialize(db *gorm.DB) error {
	db.ConnPool = d.pool
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE", "RETURNING"},
	})
	return nil
}

// Migrator returns none: the schema is the migrations' business.
func (d sqliteDialector) Migrator(*gorm.DB) gorm.Migrator { return nil }

// DataTypeOf is asked for by migrators only.
func (d sqliteDialector) DataTypeOf(*schema.Field) string { return "" }

func (d sqliteDialector) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

func (d sqliteDialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) {
	_ = w.WriteByte('?') // a strings.Builder, which never fails
}

// QuoteTo quotes each part of a dotted name. Names are constants of this package.
func (d sqliteDialector) QuoteTo(w clause.Writer, name string) {
	quoted := make([]byte, 0, len(name)+2)
	quoted = append(quoted, '"')
	for i := range len(name) {
		if name[i] == '.' {
			quoted = append(quoted, '"', '.', '"')
			continue
		}
		quoted = append(quoted, name[i])
	}
	_, _ = w.WriteString(string(append(quoted, '"'))) // a strings.Builder, which never fails
}

func (d sqliteDialector) Explain(sql string, vars ...any) string {
	return logger.ExplainSQL(sql, nil, `'`, vars...)
}
