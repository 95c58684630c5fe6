package chart_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/game-im/hermod/test/deploy/chart"
	"github.com/game-im/hermod/test/deploy/image"
)

// TestNodeRunsAsRendered starts the node in its image with the arguments, the environment, the
// configuration and the mounts of the pod, and asks it what the probes would. Only the addresses
// are others: this machine is not the pod's.
func TestNodeRunsAsRendered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	built, err := image.Build(t.Context(), "../../..", dir, map[string]string{"APP": "hermod"})
	if err != nil {
		t.Fatal(err)
	}
	values, err := chart.ValueFiles()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"minimal", "jwt", "ephemeral"} {
		t.Run(name, func(t *testing.T) {
			release := render(t, values[name])
			container := only[*appsv1.StatefulSet](t, release).Spec.Template.Spec.Containers[0]
			ops := image.FreeAddr(t)
			env := environment(t, container.Env, ops)
			mounts := map[string]string{}
			for _, mount := range container.VolumeMounts {
				mounts[mount.MountPath] = image.Volume(t)
			}
			config := only[*corev1.ConfigMap](t, release).Data["hermod.yaml"]
			if err := os.WriteFile(filepath.Join(mounts["/etc/hermod"], "hermod.yaml"), []byte(config), 0o644); err != nil {
				t.Fatal(err)
			}
			node, err := built.Start(t.Context(), image.Container{Args: container.Args, Env: env, Mounts: mounts, ReadOnlyRoot: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
				if probe.HTTPGet.Port.StrVal != "ops" {
					t.Errorf("the probe asks port %s", probe.HTTPGet.Port.StrVal)
				}
				image.Await(t, node, "http://"+ops+probe.HTTPGet.Path)
			}
			if err := node.Stop(); err != nil {
				t.Errorf("stopping: %v\n%s", err, node.Output())
			}
		})
	}
}

// environment is the container's, with secrets made up and addresses of the loopback.
func environment(t *testing.T, variables []corev1.EnvVar, ops string) []string {
	t.Helper()
	var env []string
	for _, variable := range variables {
		value := variable.Value
		switch {
		case variable.Name == "HERMOD_OPS_ADDR":
			if value != "0.0.0.0:8081" {
				t.Errorf("the node listens on %s; probes ask port 8081", value)
			}
			value = ops
		case strings.HasPrefix(value, "0.0.0.0:"):
			value = "127.0.0.1:0"
		case variable.ValueFrom != nil:
			value = strings.Repeat("secret-", 6)
		}
		env = append(env, variable.Name+"="+value)
	}
	return env
}
