// Package monitoring holds the dashboards, the alerts and the scrape configuration of deploy/ against
// the catalogue of metrics, docs/metrics.md: what they query exists, by its labels and its type, and
// what exists is on a dashboard.
package monitoring
