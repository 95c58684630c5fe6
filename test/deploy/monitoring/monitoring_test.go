package monitoring_test

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"github.com/game-im/hermod/test/deploy/monitoring"
)

const (
	catalogue  = "../../../docs/metrics.md"
	dashboards = "../../../deploy/monitoring/dashboards"
	rules      = "../../../deploy/monitoring/hermod.rules.yml"
)

// scraping are the configurations of Prometheus, and what they read.
var scraping = map[string][]string{
	"../../../deploy/compose/prometheus.yml":         {"hermod:8081"},
	"../../../deploy/compose/cluster/prometheus.yml": {"hermod-1:8081", "hermod-2:8081", "hermod-3:8081"},
}

func load(t *testing.T) (map[string]monitoring.Family, string, []monitoring.Dashboard) {
	t.Helper()
	families, text, err := monitoring.Catalogue(catalogue)
	if err != nil {
		t.Fatal(err)
	}
	all, err := monitoring.Dashboards(dashboards)
	if err != nil || len(all) == 0 {
		t.Fatalf("%d dashboards, %v", len(all), err)
	}
	return families, text, all
}

func TestDashboardsQueryWhatExists(t *testing.T) {
	t.Parallel()
	families, text, all := load(t)
	for _, d := range all {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				_, faults := monitoring.Check(families, text, monitoring.Plain(target.Expr))
				for _, fault := range faults {
					t.Errorf("%s, panel %q: %s", d.File, p.Title, fault)
				}
			}
		}
	}
}

// A metric that is on no dashboard is one that nobody looks at.
func TestCatalogueIsOnDashboards(t *testing.T) {
	t.Parallel()
	families, text, all := load(t)
	for _, d := range all {
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				read, _ := monitoring.Check(families, text, monitoring.Plain(target.Expr))
				for _, name := range read {
					delete(families, name)
				}
			}
		}
	}
	for name := range families {
		t.Errorf("%s is on no dashboard: add a panel in deploy/monitoring/dashboards", name)
	}
}

func TestDashboardsAreWhole(t *testing.T) {
	t.Parallel()
	_, _, all := load(t)
	uids := map[string]bool{}
	for _, d := range all {
		if d.Title == "" || d.UID+".json" != d.File || uids[d.UID] {
			t.Errorf("%s: title %q, uid %q: want a title, and the file's name as uid", d.File, d.Title, d.UID)
		}
		uids[d.UID] = true
		variables := map[string]bool{}
		for _, v := range d.Templating.List {
			variables[v.Name] = true
		}
		if !variables["datasource"] || !variables["instance"] {
			t.Errorf("%s: has the variables %v", d.File, variables)
		}
		ids, cells := map[int]bool{}, map[[2]int]string{}
		for _, p := range d.Panels {
			if ids[p.ID] || p.Title == "" {
				t.Errorf("%s: panel %d %q: ids are used once, and every panel has a title", d.File, p.ID, p.Title)
			}
			ids[p.ID] = true
			if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
				t.Errorf("%s, panel %q: %d queries of %q", d.File, p.Title, len(p.Targets), p.Datasource.UID)
			}
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %q lies upon %q, or beside the grid", d.File, p.Title, other)
					}
					cells[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

// templated finds the labels that an annotation shows.
var templated = regexp.MustCompile(`\$labels\.([a-z_]+)`)

func TestAlerts(t *testing.T) {
	t.Parallel()
	families, text, _ := load(t)
	groups, errs := rulefmt.ParseFile(rules, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			_, faults := monitoring.Check(families, text, rule.Expr)
			for _, fault := range faults {
				t.Errorf("%s: %s", rule.Alert, fault)
			}
			if s := rule.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: severity %q", rule.Alert, s)
			}
			if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("%s: says too little", rule.Alert)
			}
			for _, m := range templated.FindAllStringSubmatch(fmt.Sprint(rule.Annotations), -1) {
				// Aggregated away, it would be empty; series without an aggregation have it.
				if strings.Contains(rule.Expr, "sum") && !regexp.MustCompile(`by \([^)]*\b`+m[1]+`\b`).MatchString(rule.Expr) {
					t.Errorf("%s: shows the label %s, which the query does not keep", rule.Alert, m[1])
				}
			}
		}
	}
}

func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	families, text, _ := load(t)
	for _, test := range []struct{ query, want string }{
		{`sum(hermod_sessions{job="hermod"})`, ""},
		{`histogram_quantile(0.9, sum by (le) (rate(hermod_rpc_seconds_bucket{job="hermod"}[1m])))`, ""},
		{`sum(hermod_sesions{job="hermod"})`, "not in the catalogue"},
		{`rate(hermod_rpc_seconds{job="hermod"}[1m])`, "not in the catalogue"},
		{`rate(hermod_im_received_total_bucket{job="hermod"}[1m])`, "not in the catalogue"},
		{`hermod_sessions`, "not restricted to the job"},
		{`hermod_sessions{job="hermod",kind="x"}`, "no label kind"},
		{`hermod_sessions{job="hermod",state="asleep"}`, `knows no state "asleep"`},
		{`sum by (kind) (hermod_sessions{job="hermod"})`, "no label kind to group by"},
		{`rate(hermod_sessions{job="hermod"}[1m])`, "is a gauge"},
		{`hermod_push_broadcasts_total{job="hermod"}`, "only ever grows"},
		{`sum(`, "parse error"},
	} {
		_, faults := monitoring.Check(families, text, test.query)
		if got := strings.Join(faults, "; "); (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.query, got, test.want)
		}
	}
}

// The scrape configurations name the job that everything else looks for, and read the alerts.
func TestScraping(t *testing.T) {
	t.Parallel()
	for file, targets := range scraping {
		checkScraping(t, file, targets)
	}
}

func checkScraping(t *testing.T, file string, targets []string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Global struct {
			ScrapeInterval     model.Duration `json:"scrape_interval"`
			EvaluationInterval model.Duration `json:"evaluation_interval"`
		} `json:"global"`
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string `json:"job_name"`
			StaticConfigs []struct {
				Targets []string `json:"targets"`
			} `json:"static_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.UnmarshalStrict(content, &config); err != nil {
		t.Fatal(err)
	}
	if len(config.ScrapeConfigs) != 1 || config.ScrapeConfigs[0].JobName != monitoring.Job ||
		!slices.Equal(config.ScrapeConfigs[0].StaticConfigs[0].Targets, targets) || config.RuleFiles[0] != "hermod.rules.yml" {
		t.Errorf("%s: %+v", file, config)
	}
}
