// Package chart holds the Helm chart of deploy/kubernetes against Helm's own linter, the types of
// the Kubernetes API and a node: for every file of values in the chart's folder ci it is linted,
// rendered and decoded strictly, and what it renders is started as far as that is possible without
// a cluster.
package chart
