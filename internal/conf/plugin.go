package conf

import "strings"

// The values of plugins[].on_failure.
const (
	OnFailureClosed = "closed"
	OnFailureOpen   = "open"
)

// checkPlugins knows no plugin: which there are, and what their own keys are, is told when they are
// linked.
func checkPlugins(plugins []*Plugin, registryType string, ps *Problems) {
	seen := map[string]bool{}
	for i, p := range plugins {
		at := indexed("plugins", i)
		checkPluginName(at+".name", p.GetName(), seen, ps)
		checkOutside(at, p, registryType, ps)
		checkRooms(at+".rooms", p.GetRooms(), ps)
		words := []string{OnFailureClosed, OnFailureOpen}
		if f := p.GetOnFailure(); f != "" && f != OnFailureClosed && f != OnFailureOpen {
			ps.add(at+".on_failure", "%q is not known%s; one of %s", f, DidYouMean(f, words), strings.Join(words, ", "))
		}
	}
}

// checkPluginName checks the name of a plugin, or a webhook, of which those before it have others.
func checkPluginName(at, name string, seen map[string]bool, ps *Problems) {
	switch {
	case !isPluginName(name):
		ps.add(at, "is %q; lower case letters, digits and hyphens make a name, of 64 bytes at most", name)
	case seen[name]:
		ps.add(at, "%q is there twice", name)
	}
	seen[name] = true
}

func isPluginName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
