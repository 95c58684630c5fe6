package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dashboard is what of a Grafana dashboard the tests look at.
type Dashboard struct {
	File       string `json:"-"`
	UID        string
	Title      string
	Templating struct{ List []Variable }
	Panels     []Panel
}

// Variable is what one chooses at the top of a dashboard.
type Variable struct {
	Name, Type string
	Query      json.RawMessage
}

// Panel is one chart.
type Panel struct {
	ID         int
	Type       string
	Title      string
	GridPos    struct{ X, Y, W, H int }
	Datasource struct{ UID string }
	Targets    []struct{ Expr, LegendFormat string }
}

// Dashboards reads the files of a folder.
func Dashboards(folder string) ([]Dashboard, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var found []Dashboard
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		d := Dashboard{File: filepath.Base(file)}
		if err := json.Unmarshal(content, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found = append(found, d)
	}
	return found, nil
}

// Plain puts values where Grafana's variables are in a query.
func Plain(query string) string {
	return strings.NewReplacer("$__rate_interval", "1m", "$instance", "node:8081").Replace(query)
}
