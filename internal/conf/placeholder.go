package conf

import (
	"errors"
	"fmt"
	"strings"
)

var errPlaceholder = errors.New("a placeholder is ${NAME} or ${NAME:default}; write $${ for the text ${ itself")

// expand replaces the placeholders of a value by what the environment says, and names the variables
// that were read. A variable that is set and empty counts as not set, as in most container
// platforms an optional one is. What a variable contains is taken as it is.
func expand(text string, env func(string) (string, bool)) (string, []string, error) {
	var out strings.Builder
	var used []string
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			out.WriteString(before)
			return out.String(), used, nil
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			out.WriteString(escaped + "${")
			text = after
			continue
		}
		out.WriteString(before)
		body, rest, closed := strings.Cut(after, "}")
		name, fallback, hasDefault := strings.Cut(body, ":")
		if !closed || !isVariable(name) || strings.Contains(fallback, "${") {
			return "", used, errPlaceholder
		}
		switch v, _ := env(name); {
		case v != "":
			out.WriteString(v)
			used = append(used, name)
		case hasDefault:
			out.WriteString(fallback)
		default:
			return "", used, fmt.Errorf("the environment variable %s is not set, and there is no default; write ${%s:default} to give one", name, name)
		}
		text = rest
	}
}

func isVariable(name string) bool {
	return name != "" && strings.Trim(name[:1], "0123456789") != "" &&
		strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
