package chart_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
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
	release, err := chart.Render("hermod", values)
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

// TestLint is `helm lint --strict`.
func TestLint(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		for _, message := range lint.RunAll(chart.Folder, values, "games").Messages {
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
		"ConfigMap", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "Service",
		"ServiceAccount", "ServiceMonitor", "StatefulSet",
	}
	if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, want) {
		t.Errorf("rendered %v, want %v", got, want)
	}
}

// What Kubernetes would accept and nobody would want: names that point nowhere.
func TestReferences(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		release := render(t, values)
		set := only[*appsv1.StatefulSet](t, release)
		pod, container := set.Spec.Template, set.Spec.Template.Spec.Containers[0]
		selects := func(what string, selector map[string]string) {
			t.Helper()
			for key, value := range selector {
				if pod.Labels[key] != value {
					t.Errorf("%s selects %s=%s; the pod has %q", what, key, value, pod.Labels[key])
				}
			}
			if len(selector) == 0 {
				t.Errorf("%s selects everything", what)
			}
		}
		selects("the stateful set", set.Spec.Selector.MatchLabels)
		ports := map[string]int32{}
		for _, port := range container.Ports {
			ports[port.Name] = port.ContainerPort
		}
		services := map[string]*corev1.Service{}
		for _, service := range chart.Of[*corev1.Service](release) {
			services[service.Name] = service
			selects(service.Name, service.Spec.Selector)
			for _, port := range service.Spec.Ports {
				if ports[port.TargetPort.StrVal] == 0 {
					t.Errorf("%s sends to port %s, which the pod does not have", service.Name, port.TargetPort.StrVal)
				}
			}
		}
		if governing := services[set.Spec.ServiceName]; governing == nil || governing.Spec.ClusterIP != corev1.ClusterIPNone {
			t.Errorf("serviceName %s is no headless service", set.Spec.ServiceName)
		}
		for _, budget := range chart.Of[*policyv1.PodDisruptionBudget](release) {
			selects("the disruption budget", budget.Spec.Selector.MatchLabels)
		}
		for _, policy := range chart.Of[*networkingv1.NetworkPolicy](release) {
			selects("the network policy", policy.Spec.PodSelector.MatchLabels)
		}
		for _, scaler := range chart.Of[*autoscalingv2.HorizontalPodAutoscaler](release) {
			if scaler.Spec.ScaleTargetRef.Name != set.Name || set.Spec.Replicas != nil {
				t.Errorf("the autoscaler scales %s; the stateful set is %s and asks for %v replicas", scaler.Spec.ScaleTargetRef.Name, set.Name, set.Spec.Replicas)
			}
		}
		for _, ingress := range chart.Of[*networkingv1.Ingress](release) {
			for _, rule := range ingress.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					if services[path.Backend.Service.Name] == nil {
						t.Errorf("the ingress sends to %s, which does not exist", path.Backend.Service.Name)
					}
				}
			}
		}
		for _, monitor := range chart.Of[*monitoringv1.ServiceMonitor](release) {
			if !anyMatches(services, monitor.Spec.Selector.MatchLabels) {
				t.Errorf("the service monitor selects no service: %v", monitor.Spec.Selector.MatchLabels)
			}
		}
	})
}

func anyMatches(services map[string]*corev1.Service, selector map[string]string) bool {
	for _, service := range services {
		matches := true
		for key, value := range selector {
			matches = matches && service.Labels[key] == value
		}
		if matches {
			return true
		}
	}
	return false
}

// TestPodIsConfined holds what the restricted Pod Security Standard asks for, and a root file system
// that is read-only.
func TestPodIsConfined(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		spec := only[*appsv1.StatefulSet](t, render(t, values)).Spec.Template.Spec
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
		spec := only[*appsv1.StatefulSet](t, release).Spec.Template.Spec
		if got := *spec.TerminationGracePeriodSeconds; got != test.grace {
			t.Errorf("%q: terminationGracePeriodSeconds %d, want %d", test.values, got, test.grace)
		}
		text := strings.Join(strings.Fields(only[*corev1.ConfigMap](t, release).Data["hermod.yaml"]), " ")
		if !strings.Contains(text, test.stop) {
			t.Errorf("%q: hermod.yaml has %s, want %s in it", test.values, text, test.stop)
		}
	}
}

// A secret's value is in no object: the chart refers to it.
func TestServiceTokenIsAReference(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		for _, variable := range only[*appsv1.StatefulSet](t, render(t, values)).Spec.Template.Spec.Containers[0].Env {
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

func TestAnotherConfigurationIsAnotherPod(t *testing.T) {
	t.Parallel()
	sum := func(values string) string {
		return only[*appsv1.StatefulSet](t, render(t, with(t, values))).Spec.Template.Annotations["checksum/config"]
	}
	before, same, after := sum(""), sum("resources: {}"), sum("config: {log: {level: debug}}")
	if before == "" || before != same || before == after {
		t.Errorf("checksums %q, %q, %q", before, same, after)
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

// What cannot work is refused before anything is installed, with what to do about it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ values, want string }{
		{"auth: {mode: ''}", "auth.mode is required: jwt"},
		{"auth: {mode: dev}", "auth.mode dev believes everybody"},
		{"auth: {serviceToken: {secretName: ''}}", "auth.serviceToken.secretName is required"},
		{"auth: {mode: jwt}", "needs auth.jwt.jwksUrl or config.auth.jwt.keys"},
		{"auth: {mode: jwt, jwt: {jwksUrl: 'id.example.com'}}", "jwksUrl"},
		{"replicas: 3", "3 replicas need a store that they share"},
		{"autoscaling: {enabled: true, maxReplicas: 5}", "5 replicas need a store that they share"},
		{"autoscaling: {enabled: true, minReplicas: 2}", "minReplicas is above"},
		{"replicas: -1", "replicas"},
		{"replica: 1", "replica"},
		{"stop: {notice: 20, drain: 10}", "(30 s together) must be shorter than stop.timeout (30 s)"},
		{"config: {server: {stop: {timeout: 1m}}}", "config.server.stop: use stop"},
		{"config: {server: {im: {addr: ':1'}}}", "config.server.im.addr"},
		{"config: {data: {dir: /var}}", "config.data.dir"},
		{"config: {auth: {service_token: abcdefghijklmnop}}", "a secret does not belong into a ConfigMap"},
		{"config: {auth: {mode: dev}}", "config.auth.mode: use auth.mode"},
		{"registry: {type: nacos}", "registry.type nacos needs registry.addr"},
		{"registry: {type: zookeeper}", "registry/type"},
		{"ingress: {enabled: true}", "ingress.enabled needs ingress.hosts"},
		{"services: {im: {port: 0}}", "services/im/port"},
	} {
		_, err := chart.Render("hermod", with(t, test.values))
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), "'", ""), test.want) {
			t.Errorf("%s: %v; want %q in it", test.values, err, test.want)
		}
	}
}

// Two releases in one namespace share no name.
func TestReleasesDoNotMeet(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, release := range []string{"hermod", "hermod-eu", "chat"} {
		rendered, err := chart.Render(release, with(t, ""))
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
