package monitoring_test

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"github.com/game-im/hermod/test/deploy/monitoring"
)

// TestAlertsFire evaluates alerts on series as a node has them: each fires for what it is about, and not
// for what is right.
func TestAlertsFire(t *testing.T) {
	t.Parallel()
	exprs := expressions(t)
	const day = 24 * 60 * 60
	expires := func(listener string, at float64) promql.Series {
		return series(func(float64) float64 { return at }, "__name__", "hermod_tls_certificate_expiry_timestamp_seconds", "listener", listener)
	}
	reloads := func(result string) promql.Series {
		return series(func(now float64) float64 { return max(0, min(1, now-300)) }, "__name__", "hermod_tls_reloads_total", "listener", "im", "result", result)
	}
	refusals := func(rate float64) promql.Series {
		return series(func(now float64) float64 { return 7 + rate*now }, "__name__", "hermod_overload_refusals_total", "limit", "connections")
	}
	writable := func(value float64) promql.Series {
		return series(func(float64) float64 { return value }, "__name__", "hermod_store_writable")
	}
	gauge := func(name string, value float64) promql.Series {
		return series(func(float64) float64 { return value }, "__name__", name)
	}
	counter := func(name string, rate float64, pairs ...string) promql.Series {
		return series(func(now float64) float64 { return 3 + rate*now }, append(pairs, "__name__", name)...)
	}
	const members = "hermod_cluster_members"
	for _, test := range []struct {
		alert, when string
		series      promql.Series
		fires       bool
	}{
		{"HermodCertificateExpires", "in six days", expires("im", 6*day), true},
		{"HermodCertificateExpires", "in eight days", expires("im", 8*day), false},
		{"HermodCertificateExpires", "some time ago", expires("quic", 1), true},
		{"HermodCertificateRefused", "a changed file was refused", reloads("refused"), true},
		{"HermodCertificateRefused", "a changed file was taken", reloads("ok"), false},
		{"HermodStoreNotWritable", "the disk is full", writable(0), true},
		{"HermodStoreNotWritable", "all is well", writable(1), false},
		{"HermodOverloaded", "refusals go on", refusals(0.1), true},
		{"HermodOverloaded", "there were some once", refusals(0), false},
		{"HermodClusterOutOfReach", "NATS is away", gauge("hermod_cluster_connected", 0), true},
		{"HermodClusterOutOfReach", "all is well", gauge("hermod_cluster_connected", 1), false},
		{"HermodNodesApart", "the only node there is", gauge(members, 0), false},
		{"HermodClusterOutages", "every two minutes", counter("hermod_cluster_outages_total", 1.0/120), true},
		{"HermodClusterOutages", "there were some once", counter("hermod_cluster_outages_total", 0), false},
		{"HermodClusterDrops", "the inbox is full", counter("hermod_cluster_dropped_total", 5, "where", "inbox"), true},
		{"HermodClusterDrops", "there were some once", counter("hermod_cluster_dropped_total", 0, "where", "engine"), false},
		{"HermodClusterStrangers", "somebody shouts", counter("hermod_cluster_undecodable_total", 1), true},
		{"HermodClusterStrangers", "nobody does", counter("hermod_cluster_undecodable_total", 0), false},
	} {
		expr, ok := exprs[test.alert]
		if !ok {
			t.Errorf("there is no alert %s", test.alert)
			continue
		}
		if got := evaluate(t, expr, test.series); got != test.fires {
			t.Errorf("%s, %s: fires %v, want %v", test.alert, test.when, got, test.fires)
		}
	}
}

// expressions are those of the alerts, by name.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	groups, errs := rulefmt.ParseFile(rules, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	exprs := map[string]string{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			exprs[r.Alert] = r.Expr
		}
	}
	return exprs
}

// evaluated is when alerts are evaluated, in seconds since 1970.
const evaluated = 600

// series is one of the job, scraped every 30 s until alerts are evaluated.
func series(at func(now float64) float64, pairs ...string) promql.Series {
	s := promql.Series{Metric: labels.FromStrings(append(pairs, "job", monitoring.Job, "instance", "n")...)}
	for now := 0; now <= evaluated; now += 30 {
		s.Floats = append(s.Floats, promql.FPoint{T: int64(now) * 1000, F: at(float64(now))})
	}
	return s
}

// TestApartFiresForWhoeverKnowsTooFew: of three nodes, one that is on its own, and the two who miss it.
func TestApartFiresForWhoeverKnowsTooFew(t *testing.T) {
	t.Parallel()
	expr := expressions(t)["HermodNodesApart"]
	for _, test := range []struct {
		members []float64
		fires   bool
	}{{[]float64{2, 2, 2}, false}, {[]float64{2, 2, 1}, true}, {[]float64{0, 1, 1}, true}, {[]float64{1, 1}, false}} {
		var all []promql.Series
		for i, n := range test.members {
			all = append(all, series(func(float64) float64 { return n }, "__name__", "hermod_cluster_members", "node", fmt.Sprint(i)))
		}
		if got := evaluate(t, expr, all...); got != test.fires {
			t.Errorf("nodes that know %v others: fires %v", test.members, got)
		}
	}
}

// evaluate tells whether an expression has a result where there are these series.
func evaluate(t *testing.T, expr string, all ...promql.Series) bool {
	t.Helper()
	store := &storage.MockQueryable{MockQuerier: &storage.MockQuerier{
		SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
			found := &several{SeriesSet: storage.EmptySeriesSet()}
			for _, s := range all {
				if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Metric.Get(m.Name)) }) {
					found.series = append(found.series, promql.NewStorageSeries(s))
				}
			}
			return found
		},
	}}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1000, Timeout: time.Minute})
	query, err := engine.NewInstantQuery(t.Context(), store, nil, expr, time.Unix(evaluated, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	found, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

// several is a set of series.
type several struct {
	storage.SeriesSet // for what a set has besides: no error, no warnings
	series            []storage.Series
	at                int // how many were read
}

// Next implements storage.SeriesSet.
func (s *several) Next() bool {
	s.at++
	return s.at <= len(s.series)
}

// At implements storage.SeriesSet.
func (s *several) At() storage.Series { return s.series[s.at-1] }
