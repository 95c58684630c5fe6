// Package conf is a node's configuration: its schema (conf.proto), where the values come from, and
// what is allowed.
//
// Sources, the later one wins key by key: the defaults of configs/hermod.yaml, which are built into
// the binary; the files of the user, or what he keeps in a config centre (package centre); single
// keys, such as an address flag. A ${NAME:default} in a value reads the environment, and only the
// value that won is read. Merging and decoding are done here, because Kratos' own let a false or a
// zero never override a default, let unknown keys pass, and log the text of a file that fails,
// secrets included.
//
// A Set is all of them, Merged what they come to, with the origin of each value; Live keeps a node
// that runs current.
//
// The functions here have no state and are safe for concurrent use. A *Config belongs to whoever
// loaded it; nothing changes it afterwards, so that it can be read from everywhere.
package conf
