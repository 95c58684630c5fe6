// Package configs carries the configuration files that are shipped with Hermod.
package configs

import _ "embed"

// Defaults is hermod.yaml: every key with its default. It is the lowest of a node's configuration
// sources, so that a node runs without any file.
//
//go:embed hermod.yaml
var Defaults string
