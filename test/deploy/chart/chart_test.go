package chart_test

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/game-im/hermod/test/deploy/chart"
	"github.com/game-im/hermod/test/deploy/image"
)

func TestMain(m *testing.M) {
	image.Enter()
	os.Exit(m.Run())
}

// each runs a test for every file of values.
func each(t *testing.T, test func(t *testing.T, name string, values map[string]any)) {
	t.Helper()
	all, err := chart.ValueFiles()
	if err != nil || len(all) == 0 {
		t.Fatalf("files of values: %v, %v", all, err)
	}
	for name, values := range all {
		t.Run(name, func(t *testing.T) { test(t, name, values) })
	}
}

func render(t *testing.T, values map[string]any) *chart.Release {
	t.Helper()
	release, err := chart.Render("hermod", chart.Cluster, values)
	if err != nil {
		t.Fatal(err)
	}
	return release
}

// only returns the one object of a kind.
func only[T runtime.Object](t *testing.T, r *chart.Release) T {
	t.Helper()
	found := chart.Of[T](r)
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %T, want one", len(found), *new(T))
	}
	return found[0]
}

// workload returns what runs the pods.
func workload(t *testing.T, r *chart.Release) chart.Workload {
	t.Helper()
	all := r.Workloads()
	if len(all) != 1 {
		t.Fatalf("%d workloads, want one", len(all))
	}
	return all[0]
}

// TestLint is `helm lint --strict`.
func TestLint(t *testing.T) {
	t.Parallel()
	version, err := common.ParseKubeVersion(chart.Cluster)
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, _ string, values map[string]any) {
		for _, message := range lint.RunAll(chart.Folder, values, "games", lint.WithKubeVersion(version)).Messages {
			if message.Severity > support.InfoSev {
				t.Error(message)
			}
		}
	})
}

// Every kind that the chart can render is rendered by one of the files of values at least.
func TestKinds(t *testing.T) {
	t.Parallel()
	kinds := map[string]bool{}
	each(t, func(t *testing.T, _ string, values map[string]any) {
		for _, object := range render(t, values).Objects {
			kinds[object.GetObjectKind().GroupVersionKind().Kind] = true
		}
	})
	want := []string{
		"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "Service",
		"ServiceAccount", "ServiceMonitor", "StatefulSet",
	}
	if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, want) {
		t.Errorf("rendered %v, want %v", got, want)
	}
}

// TestPodIsConfined holds what the restricted Pod Security Standard asks for, and a root file system
// that is read-only.
func TestPodIsConfined(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		spec := workload(t, render(t, values)).Template.Spec
		pod, container := spec.SecurityContext, spec.Containers[0].SecurityContext
		for what, ok := range map[string]bool{
			"runAsNonRoot":             *pod.RunAsNonRoot,
			"the image's user":         *pod.RunAsUser == 65532 && *pod.RunAsGroup == 65532 && *pod.FSGroup == 65532,
			"seccompProfile":           pod.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
			"allowPrivilegeEscalation": !*container.AllowPrivilegeEscalation,
			"readOnlyRootFilesystem":   *container.ReadOnlyRootFilesystem,
			"capabilities":             slices.Equal(container.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(container.Capabilities.Add) == 0,
			"no token":                 !*spec.AutomountServiceAccountToken,
			"no host namespaces":       !spec.HostNetwork && !spec.HostPID && !spec.HostIPC,
		} {
			if !ok {
				t.Errorf("%s is not as it should be", what)
			}
		}
	})
}

// A pod that is killed before the node has stopped by itself loses what was in flight.
func TestGracePeriodCoversStopping(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values string
		grace  int64
		stop   string
	}{
		{"", 35, "drain: 10s notice: 5s timeout: 30s"},
		{"stop: {notice: 60, drain: 120, timeout: 300}", 305, "drain: 120s notice: 60s timeout: 300s"},
		{"stop: {preStop: 20}", 55, "drain: 10s notice: 5s timeout: 30s"},
	} {
		release := render(t, with(t, test.values))
		spec := workload(t, release).Template.Spec
		if got := *spec.TerminationGracePeriodSeconds; got != test.grace {
			t.Errorf("%q: terminationGracePeriodSeconds %d, want %d", test.values, got, test.grace)
		}
		text := strings.Join(strings.Fields(only[*corev1.ConfigMap](t, release).Data["hermod.yaml"]), " ")
		if !strings.Contains(text, test.stop) {
			t.Errorf("%q: hermod.yaml has %s, want %s in it", test.values, text, test.stop)
		}
	}
}

// TestQUICIsOfUDP: where it is enabled, its port is one of UDP everywhere, and its certificate is mounted
// where the node looks for it; where it is not, nothing of it is there.
func TestQUICIsOfUDP(t *testing.T) {
	t.Parallel()
	if text := fmt.Sprint(render(t, with(t, "")).Objects); strings.Contains(strings.ToLower(text), "quic") {
		t.Error("QUIC is off, and something of it is rendered")
	}
	release := render(t, with(t, "quic: {enabled: true, secretName: pair}\nnetworkPolicy: {enabled: true}"))
	udp := 0
	for _, service := range chart.Of[*corev1.Service](release) {
		for _, port := range service.Spec.Ports {
			if port.Protocol == corev1.ProtocolUDP {
				udp++
			}
			if (port.Protocol == corev1.ProtocolUDP) != strings.HasSuffix(service.Name, "-quic") {
				t.Errorf("service %s: port %+v", service.Name, port)
			}
		}
	}
	spec := workload(t, release).Template.Spec
	for _, port := range spec.Containers[0].Ports {
		if (port.Protocol == corev1.ProtocolUDP) != (port.Name == "quic") {
			t.Errorf("container port %+v", port)
		} else if port.Name == "quic" {
			udp++
		}
	}
	for _, port := range only[*networkingv1.NetworkPolicy](t, release).Spec.Ingress[0].Ports {
		if port.Protocol != nil && *port.Protocol == corev1.ProtocolUDP && port.Port.StrVal == "quic" {
			udp++
		}
	}
	if udp != 3 {
		t.Errorf("%d ports of UDP; want those of service, pod and network policy", udp)
	}
	mounts := fmt.Sprint(spec.Containers[0].VolumeMounts)
	if text := only[*corev1.ConfigMap](t, release).Data["hermod.yaml"]; !strings.Contains(text, "cert_file: /etc/hermod-quic/tls.crt") || !strings.Contains(mounts, "/etc/hermod-quic") {
		t.Errorf("the certificate is at one place in\n%s\nand mounted elsewhere: %s", text, mounts)
	}
}

// A secret's value is in no object: the chart refers to it.
func TestServiceTokenIsAReference(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		for _, variable := range workload(t, render(t, values)).Template.Spec.Containers[0].Env {
			if variable.Name == "HERMOD_SERVICE_TOKEN" {
				if variable.Value != "" || variable.ValueFrom.SecretKeyRef.Name != "hermod" {
					t.Errorf("%+v", variable)
				}
				return
			}
		}
		t.Error("the node is given no service token")
	})
}

// TestAnotherConfigurationIsTheSamePod: a node follows the file that the ConfigMap is mounted as, and a
// change of it must not end everybody's connection.
func TestAnotherConfigurationIsTheSamePod(t *testing.T) {
	t.Parallel()
	template := func(values string) corev1.PodTemplateSpec {
		return workload(t, render(t, with(t, values))).Template
	}
	before, after := template(""), template("config: {log: {level: debug}}")
	if !reflect.DeepEqual(before, after) {
		t.Errorf("another log level is another pod:\n%+v\n%+v", before, after)
	}
	for _, m := range before.Spec.Containers[0].VolumeMounts {
		if m.Name == "config" && m.SubPath != "" {
			t.Error("what is mounted by subPath never changes")
		}
	}
	if got := template("podAnnotations: {a: b}").Annotations; len(got) != 1 || got["a"] != "b" {
		t.Errorf("annotations %v", got)
	}
}

// with is the least that the chart asks for, and the given values on top.
func with(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	const least = "auth: {mode: trusted, serviceToken: {secretName: hermod}}"
	for _, part := range []string{least, text} {
		var more map[string]any
		if err := yaml.Unmarshal([]byte(part), &more); err != nil {
			t.Fatal(err)
		}
		merge(values, more)
	}
	return values
}

func merge(into, from map[string]any) {
	for key, value := range from {
		below, ok := value.(map[string]any)
		if at, both := into[key].(map[string]any); ok && both {
			merge(at, below)
			continue
		}
		into[key] = value
	}
}

// Two releases in one namespace share no name.
func TestReleasesDoNotMeet(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, release := range []string{"hermod", "hermod-eu", "chat"} {
		rendered, err := chart.Render(release, chart.Cluster, with(t, ""))
		if err != nil {
			t.Fatal(err)
		}
		for _, service := range chart.Of[*corev1.Service](rendered) {
			if names[service.Name] || !strings.Contains(service.Name, "hermod") {
				t.Errorf("release %s: service %s", release, service.Name)
			}
			names[service.Name] = true
		}
	}
	if len(names) != 12 {
		t.Errorf("services %v", fmt.Sprint(slices.Sorted(maps.Keys(names))))
	}
}
