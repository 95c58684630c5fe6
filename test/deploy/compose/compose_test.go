package compose_test

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"sigs.k8s.io/yaml"

	"github.com/game-im/hermod/test/deploy/image"
	"github.com/game-im/hermod/test/loopback"
)

const (
	repository = "../../.."
	folder     = repository + "/deploy/compose"
)

func TestMain(m *testing.M) {
	image.Enter()
	os.Exit(m.Run())
}

// projects are what the files of the folder can be put together to, and the services of each.
var projects = map[string]struct{ files, services []string }{
	"one":      {[]string{"compose.yaml"}, []string{"consumer", "grafana", "hermod", "nacos", "prometheus"}},
	"embedded": {[]string{"cluster.yaml"}, []string{"balancer", "grafana", "hermod-1", "hermod-2", "hermod-3", "postgres", "prometheus"}},
	"nats":     {[]string{"cluster.yaml", "cluster.nats.yaml"}, []string{"balancer", "grafana", "hermod-1", "hermod-2", "hermod-3", "nats", "postgres", "prometheus"}},
	"redis":    {[]string{"cluster.yaml", "cluster.redis.yaml"}, []string{"balancer", "grafana", "hermod-1", "hermod-2", "hermod-3", "postgres", "prometheus", "redis"}},
}

// load is `docker compose config`: schema, interpolation, references between the parts.
func load(t *testing.T, name string) *types.Project {
	t.Helper()
	var files []string
	for _, file := range projects[name].files {
		files = append(files, filepath.Join(folder, file))
	}
	options, err := cli.NewProjectOptions(files, cli.WithEnv(nil), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// each runs a test for every project.
func each(t *testing.T, test func(t *testing.T, name string, project *types.Project)) {
	t.Helper()
	for name := range projects {
		t.Run(name, func(t *testing.T) { test(t, name, load(t, name)) })
	}
}

// TestFilesArePartsOfProjects: a file that belongs to none is tested by nothing.
func TestFilesArePartsOfProjects(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.ContainsFunc(slices.Collect(maps.Values(projects)), func(p struct{ files, services []string }) bool {
			return slices.Contains(p.files, filepath.Base(file))
		}) {
			t.Errorf("%s is a part of no project", file)
		}
	}
}

func TestServices(t *testing.T) {
	t.Parallel()
	each(t, checkServices)
}

func checkServices(t *testing.T, of string, project *types.Project) {
	if got := slices.Sorted(maps.Keys(project.Services)); !slices.Equal(got, projects[of].services) {
		t.Errorf("services %v, want %v", got, projects[of].services)
	}
	published := map[string]string{}
	for name, service := range project.Services {
		if _, tag, _ := strings.Cut(service.Image, ":"); service.Build == nil && (tag == "" || tag == "latest") {
			t.Errorf("%s: the image %s is another one tomorrow", name, service.Image)
		}
		if service.Restart == "" {
			t.Errorf("%s: what happens when it ends is not said", name)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q; the node believes whoever can connect", name, port.Published, port.HostIP)
			}
			if other := published[port.Published]; other != "" {
				t.Errorf("port %s is published by %s and %s", port.Published, name, other)
			}
			published[port.Published] = name
		}
	}
}

func TestFilesExist(t *testing.T) {
	t.Parallel()
	each(t, checkFiles)
}

func checkFiles(t *testing.T, _ string, project *types.Project) {
	for name, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !volume.ReadOnly {
				t.Errorf("%s: may write to %s of the repository", name, volume.Source)
			}
		}
		if build := service.Build; build != nil {
			dockerfile := build.Dockerfile
			if !filepath.IsAbs(dockerfile) {
				dockerfile = filepath.Join(build.Context, dockerfile)
			}
			if _, err := os.Stat(dockerfile); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Prometheus finds the rules, Grafana the data source and the dashboards, where they are mounted.
func TestMountsAreWhereTheyAreLookedFor(t *testing.T) {
	t.Parallel()
	each(t, checkMounts)
}

func checkMounts(t *testing.T, _ string, project *types.Project) {
	mounted := func(service, target string) string {
		t.Helper()
		for _, volume := range project.Services[service].Volumes {
			if rest, ok := strings.CutPrefix(target, volume.Target); ok && volume.Type == types.VolumeTypeBind {
				return volume.Source + rest
			}
		}
		t.Errorf("%s: nothing is mounted at %s", service, target)
		return os.DevNull
	}
	var providers struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			Options            struct{ Path string }
		}
	}
	read(t, mounted("grafana", "/etc/grafana/provisioning/dashboards/hermod.yaml"), &providers)
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, URL string
			IsDefault            bool
			JSONData             map[string]any
		}
	}
	read(t, mounted("grafana", "/etc/grafana/provisioning/datasources/hermod.yaml"), &sources)
	if at := sources.Datasources[0].URL; at != "http://prometheus:9090" {
		t.Errorf("Grafana asks %s", at)
	}
	home := *project.Services["grafana"].Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	for _, file := range []string{
		mounted("grafana", home), mounted("grafana", providers.Providers[0].Options.Path+"/hermod-sessions.json"),
		mounted("prometheus", "/etc/prometheus/prometheus.yml"), mounted("prometheus", "/etc/prometheus/hermod.rules.yml"),
	} {
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// TestNodeRunsAsComposed starts the node in its image with the environment of compose.yaml, its
// registry out of reach: only addresses are others.
func TestNodeRunsAsComposed(t *testing.T) {
	t.Parallel()
	node := load(t, "one").Services["hermod"]
	if !node.ReadOnly || time.Duration(*node.StopGracePeriod) <= 15*time.Second {
		t.Errorf("read-only %v, %v to stop; server.stop.timeout is 15s", node.ReadOnly, node.StopGracePeriod)
	}
	built, err := image.Build(t.Context(), repository, t.TempDir(), map[string]string{"APP": *node.Build.Args["APP"]})
	if err != nil {
		t.Fatal(err)
	}
	targets := map[string]bool{}
	for _, port := range node.Ports {
		targets[port.Published] = true
	}
	ops := loopback.Addr(t)
	var env []string
	for name, value := range node.Environment {
		host, port, err := net.SplitHostPort(*value)
		switch {
		case err != nil || host != "0.0.0.0":
			env = append(env, name+"="+*value)
			continue
		case !targets[port]:
			t.Errorf("%s is %s, which is not published", name, *value)
		}
		if name == "HERMOD_OPS_ADDR" {
			env = append(env, name+"="+ops)
		} else {
			env = append(env, name+"=127.0.0.1:0")
		}
	}
	process, err := built.Start(t.Context(), image.Container{Env: env, ReadOnlyRoot: true,
		Mounts: map[string]string{"/data": image.Volume(t), "/tmp": image.Volume(t)}})
	if err != nil {
		t.Fatal(err)
	}
	image.Await(t, process, "http://"+ops+"/healthz")
	if err := process.Stop(); err != nil {
		t.Errorf("stopping: %v\n%s", err, process.Output())
	}
}
