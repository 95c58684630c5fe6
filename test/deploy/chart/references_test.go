package chart_test

import (
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/game-im/hermod/test/deploy/chart"
)

// What Kubernetes would accept and nobody would want: names that point nowhere.

func TestPodIsSelected(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		release := render(t, values)
		set := workload(t, release)
		selectors := map[string]map[string]string{set.Kind: set.Selector}
		for _, service := range chart.Of[*corev1.Service](release) {
			selectors[service.Name] = service.Spec.Selector
		}
		for _, budget := range chart.Of[*policyv1.PodDisruptionBudget](release) {
			selectors["the disruption budget"] = budget.Spec.Selector.MatchLabels
		}
		for _, policy := range chart.Of[*networkingv1.NetworkPolicy](release) {
			selectors["the network policy"] = policy.Spec.PodSelector.MatchLabels
		}
		for what, selector := range selectors {
			if len(selector) == 0 || !has(set.Template.Labels, selector) {
				t.Errorf("%s selects %v; the pod has %v", what, selector, set.Template.Labels)
			}
		}
	})
}

func has(labels, selector map[string]string) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

func TestServicesReachThePod(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		release := render(t, values)
		set := workload(t, release)
		ports := map[string]bool{}
		for _, port := range set.Template.Spec.Containers[0].Ports {
			ports[port.Name] = true
		}
		governed := false
		for _, service := range chart.Of[*corev1.Service](release) {
			governed = governed || service.Name == set.Governing && service.Spec.ClusterIP == corev1.ClusterIPNone
			for _, port := range service.Spec.Ports {
				if !ports[port.TargetPort.StrVal] {
					t.Errorf("%s sends to port %s, which the pod does not have", service.Name, port.TargetPort.StrVal)
				}
			}
		}
		if !governed && set.Kind == "StatefulSet" {
			t.Errorf("serviceName %s is no headless service", set.Governing)
		}
		for _, policy := range chart.Of[*networkingv1.NetworkPolicy](release) {
			for _, rule := range policy.Spec.Ingress {
				for _, port := range rule.Ports {
					if !ports[port.Port.StrVal] {
						t.Errorf("the network policy opens port %s, which the pod does not have", port.Port.StrVal)
					}
				}
			}
		}
	})
}

func TestMountsHaveVolumes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		set := workload(t, render(t, values))
		volumes := map[string]int{}
		for _, volume := range set.Template.Spec.Volumes {
			volumes[volume.Name]++
		}
		for _, claim := range set.Claims {
			volumes[claim.Name]++
		}
		mounts := set.Template.Spec.Containers[0].VolumeMounts
		for _, mount := range mounts {
			if volumes[mount.Name] != 1 {
				t.Errorf("%s: %d volumes %s", mount.MountPath, volumes[mount.Name], mount.Name)
			}
		}
		if len(mounts) != len(volumes) {
			t.Errorf("mounts %v, volumes %v", mounts, volumes)
		}
	})
}

func TestOthersPointToTheRelease(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ string, values map[string]any) {
		release := render(t, values)
		set := workload(t, release)
		services := map[string]*corev1.Service{}
		for _, service := range chart.Of[*corev1.Service](release) {
			services[service.Name] = service
		}
		for _, scaler := range chart.Of[*autoscalingv2.HorizontalPodAutoscaler](release) {
			if to := scaler.Spec.ScaleTargetRef; to.Name != set.Name || to.Kind != set.Kind || set.Replicas != nil {
				t.Errorf("the autoscaler scales %s %s; what runs the pods is %s %s and asks for %v replicas", to.Kind, to.Name, set.Kind, set.Name, set.Replicas)
			}
		}
		for _, ingress := range chart.Of[*networkingv1.Ingress](release) {
			for _, path := range ingress.Spec.Rules[0].HTTP.Paths {
				to := path.Backend.Service
				if service := services[to.Name]; service == nil || service.Spec.Ports[0].Name != to.Port.Name {
					t.Errorf("the ingress sends to %s, port %s, which does not exist", to.Name, to.Port.Name)
				}
			}
		}
		for _, monitor := range chart.Of[*monitoringv1.ServiceMonitor](release) {
			selected := 0
			for _, service := range services {
				if has(service.Labels, monitor.Spec.Selector.MatchLabels) && service.Spec.Ports[0].Name == monitor.Spec.Endpoints[0].Port {
					selected++
				}
			}
			if selected != 1 {
				t.Errorf("the service monitor selects %d services", selected)
			}
		}
	})
}
