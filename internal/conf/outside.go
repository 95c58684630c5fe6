package conf

import (
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"
)

// DefaultPluginMemory is what a process of a plugin may have resident unless its memory_bytes says
// otherwise.
const DefaultPluginMemory = 512 << 20

// IsProcess tells whether the plugin is a process that the node runs.
func (p *Plugin) IsProcess() bool { return len(p.GetProcess().GetCommand()) > 0 }

// IsService tells whether the plugin is a service that somebody else runs.
func (p *Plugin) IsService() bool { return len(p.GetService().GetTargets()) > 0 }

// Split returns the targets that are addresses, and the names to find instances under.
func (s *PluginService) Split() (addrs, names []string) {
	return (&Upstream_Service{Targets: s.GetTargets()}).Split()
}

// Environment returns what env says, as NAME=value in the order of the names.
func (p *PluginProcess) Environment() (env []string) {
	fields := p.GetEnv().GetFields()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		env = append(env, name+"="+textOf(fields[name]))
	}
	return env
}

// textOf is a scalar as somebody wrote it, who need not have quoted a number.
func textOf(v *structpb.Value) string {
	if text, ok := v.GetKind().(*structpb.Value_StringValue); ok {
		return text.StringValue
	}
	written, err := v.MarshalJSON()
	if err != nil || string(written) == "null" {
		return ""
	}
	return string(written)
}

// checkOutside checks what says where a plugin runs that is not linked in.
func checkOutside(at string, p *Plugin, registryType string, ps *Problems) {
	if p.IsProcess() && p.IsService() {
		ps.add(at+".service", "a plugin has process or service, not both")
	}
	run := p.GetProcess()
	if p.IsProcess() && run.GetCommand()[0] == "" || !p.IsProcess() && (run.GetDir() != "" || run.GetEnv() != nil || run.GetMemoryBytes() != 0) {
		ps.add(at+".process.command", "is empty; the program that is the plugin is expected, and its arguments, such as [node, plugin.js]")
	}
	for name, v := range run.GetEnv().GetFields() {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			ps.add(at+".process.env", "%q is no name of a variable: it is empty, or has = in it", name)
		}
		if v.GetListValue() != nil || v.GetStructValue() != nil || strings.ContainsRune(v.GetStringValue(), 0) {
			ps.add(at+".process.env."+name, "must be a text, a number, true or false")
		}
	}
	s := p.GetService()
	if !p.IsService() && s.GetTls().GetEnabled() {
		ps.add(at+".service.targets", "is empty; host:port or %sname is expected", discoveryScheme)
	}
	checkTargets(at+".service.targets", s.GetTargets(), registryType, ps)
	checkClientTLS(at+".service.tls", s.GetTls(), ps)
}
