package hermodctl

import (
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that cannot be understood. Its text says what is allowed.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// meant refuses flags of these names that are given and say nothing, as --ttl 0s, or --idempotency-key "$KEY" where KEY is
// not set: the command would do without what was asked for.
func meant(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if f := flags.Lookup(name); f.Changed && f.Value.String() == f.DefValue {
			return usagef("--%s %q says nothing; give it a value, or leave it out", name, f.DefValue)
		}
	}
	return nil
}

func noArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q; only flags are allowed", args[0])
	}
	return nil
}

// required is a flag that must have a value.
type required struct {
	name  string
	value string
}

func requireFlags(flags ...required) error {
	var missing []string
	for _, f := range flags {
		if f.value == "" {
			missing = append(missing, "--"+f.name)
		}
	}
	switch len(missing) {
	case 0:
		return nil
	case 1:
		return usagef("%s is required and must not be empty", missing[0])
	}
	return usagef("%s are required and must not be empty", strings.Join(missing, " and "))
}

// checkAddress tells whether addr can be dialled: host:port.
func checkAddress(addr string) error {
	if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
		return usagef("--addr %q is not an address; host:port is allowed, for example 127.0.0.1:8083", addr)
	}
	return nil
}
