// Package doctor examines a configuration and the machine that a node with it runs on, or is to run
// on. It changes nothing but a file that it makes in the data directory, or an object in the bucket of
// recordings, and removes again, and a node may be running meanwhile.
package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

// State is how bad something is.
type State string

// The states of a finding.
const (
	OK      State = "ok"
	Warning State = "warning" // a node starts, and may disappoint
	Failure State = "failure" // a node does not start, or does not serve
)

// Finding is what one check has found.
type Finding struct {
	Check  string `json:"check"`
	State  State  `json:"state"`
	Text   string `json:"text"`
	Advice string `json:"advice,omitempty"` // what to do; empty when nothing is to be done
}

// check examines one thing. Checks are independent of each other.
type check struct {
	name string
	run  func(ctx context.Context, c *conf.Config) []Finding
}

// checks is every check of what a configuration says, in the order of the report. A new one is a
// function and a line here.
var checks = []check{
	{"ports", ports},
	{"data", dataDir},
	{"store", store},
	{"recordings", blobs},
	{"registry", registration},
	{"clock", clock},
	{"files", openFiles},
}

// patience bounds each check.
const patience = 10 * time.Second

// Examine loads the configuration and runs every check. Without a configuration there is nothing else
// to examine.
func Examine(ctx context.Context, load func(context.Context) (*conf.Merged, error)) []Finding {
	m, err := load(ctx)
	if err != nil {
		return named("configuration", configuration(err))
	}
	findings := []Finding{{Check: "configuration", State: OK, Text: "is valid"}}
	for _, c := range checks {
		ctx, cancel := context.WithTimeout(ctx, patience)
		findings = append(findings, named(c.name, c.run(ctx, m.Config))...)
		cancel()
	}
	return findings
}

func named(check string, findings []Finding) []Finding {
	for i := range findings {
		findings[i].Check = check
	}
	return findings
}

func configuration(err error) []Finding {
	var problems conf.Problems
	if !errors.As(err, &problems) {
		return []Finding{failure(err.Error(), "start the config centre, or correct its address after -conf or in HERMOD_CONF")}
	}
	findings := make([]Finding, len(problems))
	for i, p := range problems {
		findings[i] = failure(p.String(), "correct it where the brackets say; hermodctl config print shows what is in force")
	}
	return findings
}

func ok(text string) Finding              { return Finding{State: OK, Text: text} }
func warning(text, advice string) Finding { return Finding{State: Warning, Text: text, Advice: advice} }
func failure(text, advice string) Finding { return Finding{State: Failure, Text: text, Advice: advice} }
