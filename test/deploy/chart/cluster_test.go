package chart_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/game-im/hermod/test/deploy/chart"
)

const (
	shared   = "replicas: 3\nrecordings: {existingClaim: files}\ndatabase: {driver: postgres, secretName: db}\n"
	embedded = shared + "cluster: {type: nats, secretName: peers}\n"
	beside   = shared + "cluster: {type: nats, addrs: 'nats:4222'}\n"
)

// variables are the pod's environment, as values or as secret/key.
func variables(w chart.Workload) map[string]string {
	found := map[string]string{}
	for _, v := range w.Template.Spec.Containers[0].Env {
		found[v.Name] = v.Value
		if v.ValueFrom != nil && v.ValueFrom.SecretKeyRef != nil {
			found[v.Name] = v.ValueFrom.SecretKeyRef.Name + "/" + v.ValueFrom.SecretKeyRef.Key
		}
	}
	return found
}

// TestNodesFindEachOther: the routes of NATS within the nodes are names that the headless service gives to
// all of the pods, and what a pod says that it is, is one of them. The service leads to pods that are not
// ready, since none of them would become so.
func TestNodesFindEachOther(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"hermod", "chat"} {
		release, err := chart.Render(name, chart.Cluster, with(t, embedded))
		if err != nil {
			t.Fatal(err)
		}
		w := workload(t, release)
		var service *corev1.Service
		for _, s := range chart.Of[*corev1.Service](release) {
			if s.Name == w.Governing {
				service = s
			}
		}
		if w.Kind != "StatefulSet" || service == nil || service.Spec.ClusterIP != corev1.ClusterIPNone || !service.Spec.PublishNotReadyAddresses {
			t.Fatalf("%s, governed by %s: %+v", w.Kind, w.Governing, service)
		}
		var want []string
		for i := range *w.Replicas {
			want = append(want, fmt.Sprintf("%s-%d.%s:%d", w.Name, i, service.Name, service.Spec.Ports[0].Port))
		}
		env := variables(w)
		if got := strings.Split(env["HERMOD_CLUSTER_ROUTES"], ","); !slices.Equal(got, want) {
			t.Errorf("routes %v, want %v", got, want)
		}
		if got := strings.Replace(env["HERMOD_CLUSTER_ADVERTISE"], "$(HERMOD_POD_NAME)", w.Name+"-1", 1); got != want[1] {
			t.Errorf("a pod says that it is %s, and is %s", got, want[1])
		}
		if env["HERMOD_CLUSTER_LISTEN"] != "0.0.0.0:6222" || env["HERMOD_CLUSTER_PASSWORD"] != "peers/password" {
			t.Errorf("environment %v", env)
		}
	}
}

// TestVariablesAreDefinedBefore: Kubernetes leaves $(NAME) as it is when NAME comes later.
func TestVariablesAreDefinedBefore(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		before := map[string]bool{}
		for _, v := range workload(t, render(t, values)).Template.Spec.Containers[0].Env {
			if _, rest, ok := strings.Cut(v.Value, "$("); ok {
				if name, _, _ := strings.Cut(rest, ")"); !before[name] {
					t.Errorf("%s is %s", v.Name, v.Value)
				}
			}
			if before[v.Name] {
				t.Errorf("%s is given twice", v.Name)
			}
			before[v.Name] = true
		}
	})
}

// TestUpdatesKeepAllNodes: with an engine beside the nodes the next one is ready before one stops; without,
// none waits for the others to come.
func TestUpdatesKeepAllNodes(t *testing.T) {
	t.Parallel()
	strategy := only[*appsv1.Deployment](t, render(t, with(t, beside))).Spec.Strategy
	if u := strategy.RollingUpdate; strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || u.MaxUnavailable.IntValue() != 0 || u.MaxSurge.IntValue() != 1 {
		t.Errorf("strategy %+v", strategy)
	}
	set := only[*appsv1.StatefulSet](t, render(t, with(t, embedded)))
	if set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement || len(set.Spec.VolumeClaimTemplates) != 0 {
		t.Errorf("%s, %d claims", set.Spec.PodManagementPolicy, len(set.Spec.VolumeClaimTemplates))
	}
	if alone := only[*appsv1.StatefulSet](t, render(t, with(t, ""))); alone.Spec.PodManagementPolicy != "" || len(alone.Spec.VolumeClaimTemplates) != 1 {
		t.Errorf("one node: %q, %d claims", alone.Spec.PodManagementPolicy, len(alone.Spec.VolumeClaimTemplates))
	}
}

// TestRecordingsInABucketAreShared: nodes that have one need no claim.
func TestRecordingsInABucketAreShared(t *testing.T) {
	t.Parallel()
	const several = "replicas: 3\ndatabase: {driver: postgres, secretName: db}\ncluster: {type: nats, addrs: 'nats:4222'}\n"
	const s3 = "s3: {endpoint: 'https://s3.example.com', bucket: chat}"
	for values, fits := range map[string]bool{
		"config: {data: {blobs: {store: s3, " + s3 + "}}}":  true,
		"env: [{name: HERMOD_BLOBS_STORE, value: s3}]":      true,
		"config: {data: {blobs: {store: dir, " + s3 + "}}}": false,
		"env: [{name: HERMOD_S3_BUCKET, value: chat}]":      false,
	} {
		if _, err := chart.Render("hermod", chart.Cluster, with(t, several+values)); (err == nil) != fits {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// TestRecordingsAreShared: all nodes have the one claim where recordings are, and the rest of the data folder
// to themselves.
func TestRecordingsAreShared(t *testing.T) {
	t.Parallel()
	for _, values := range []string{embedded, beside} {
		spec := workload(t, render(t, with(t, values))).Template.Spec
		at := map[string]string{}
		for _, m := range spec.Containers[0].VolumeMounts {
			at[m.MountPath] = m.Name
		}
		for _, v := range spec.Volumes {
			switch v.Name {
			case at["/data/blobs"]:
				if v.PersistentVolumeClaim == nil || v.PersistentVolumeClaim.ClaimName != "files" || v.PersistentVolumeClaim.ReadOnly {
					t.Errorf("recordings are in %+v", v)
				}
			case at["/data"]:
				if v.EmptyDir == nil {
					t.Errorf("/data is %+v", v)
				}
			}
		}
		if at["/data/blobs"] == "" || at["/data"] == "" {
			t.Errorf("mounts %v", at)
		}
	}
}

// TestNodesAreKeptApart: nodes on one machine die with it. Whoever has constraints of his own has no others.
func TestNodesAreKeptApart(t *testing.T) {
	t.Parallel()
	const own = "topologySpreadConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]"
	for values, want := range map[string][]string{
		"":             nil,
		own:            {"rack"},
		beside:         {"kubernetes.io/hostname", "topology.kubernetes.io/zone"},
		embedded:       {"kubernetes.io/hostname", "topology.kubernetes.io/zone"},
		embedded + own: {"rack"},
	} {
		w := workload(t, render(t, with(t, values)))
		var got []string
		for _, c := range w.Template.Spec.TopologySpreadConstraints {
			got = append(got, c.TopologyKey)
			if c.LabelSelector != nil && !has(w.Template.Labels, c.LabelSelector.MatchLabels) {
				t.Errorf("%s: counts pods with %v; these have %v", c.TopologyKey, c.LabelSelector.MatchLabels, w.Template.Labels)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: kept apart by %v, want %v", values, got, want)
		}
	}
}

// TestOnlyNodesReachTheRoutes: the port by which NATS servers meet is there when they are within the nodes,
// and for the nodes of this release alone.
func TestOnlyNodesReachTheRoutes(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]int{embedded: 1, beside: 0, "": 0} {
		release := render(t, with(t, values+"networkPolicy: {enabled: true}"))
		w := workload(t, release)
		open := 0
		for _, rule := range only[*networkingv1.NetworkPolicy](t, release).Spec.Ingress {
			if rule.Ports[0].Port.StrVal != "cluster" {
				continue
			}
			open++
			if len(rule.From) != 1 || rule.From[0].PodSelector == nil || !maps.Equal(rule.From[0].PodSelector.MatchLabels, w.Selector) || rule.From[0].NamespaceSelector != nil {
				t.Errorf("routes are open to %+v", rule.From)
			}
		}
		ports := 0
		for _, p := range w.Template.Spec.Containers[0].Ports {
			if p.Name == "cluster" && p.ContainerPort == 6222 {
				ports++
			}
		}
		if open != want || ports != want {
			t.Errorf("%q: %d rules, %d ports, want %d", values, open, ports, want)
		}
	}
}

// TestReleasesKeepApart: two that share an engine are two clusters.
func TestReleasesKeepApart(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, name := range []string{"hermod", "hermod-eu", strings.Repeat("hermod-", 7)} {
		for _, namespace := range []string{"games", "test", strings.Repeat("n", 63)} {
			release, err := chart.RenderIn(namespace, name, chart.Cluster, with(t, beside))
			if err != nil {
				t.Fatal(err)
			}
			got := variables(workload(t, release))["HERMOD_CLUSTER_NAME"]
			if names[got] || got == "" || len(got) > 64 {
				t.Errorf("%s in %s: cluster %q", name, namespace, got)
			}
			names[got] = true
		}
	}
}
