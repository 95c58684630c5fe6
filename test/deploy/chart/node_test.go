package chart_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/game-im/hermod/test/deploy/chart"
	"github.com/game-im/hermod/test/deploy/image"
	"github.com/game-im/hermod/test/loopback"
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
			container := workload(t, release).Template.Spec.Containers[0]
			ops := loopback.Addr(t)
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

// TestConfigurationIsRight has hermodctl read, for every file of values, what the pod gives its node.
func TestConfigurationIsRight(t *testing.T) {
	t.Parallel()
	ctl, err := image.Build(t.Context(), "../../..", t.TempDir(), map[string]string{"APP": "hermodctl"})
	if err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, _ string, values map[string]any) {
		release := render(t, values)
		container := workload(t, release).Template.Spec.Containers[0]
		folder, pair := image.Volume(t), image.Volume(t)
		writePair(t, pair)
		config := only[*corev1.ConfigMap](t, release).Data["hermod.yaml"]
		if err := os.WriteFile(filepath.Join(folder, "hermod.yaml"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := ctl.Run(t.Context(), image.Container{
			Args: []string{"config", "check", container.Args[1]}, Env: environment(t, container.Env, "0.0.0.0:8081"),
			Mounts: map[string]string{"/etc/hermod": folder, "/etc/hermod-quic": pair, "/etc/hermod-cluster": pair},
		})
		if err != nil || strings.TrimSpace(out) != "ok" {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// writePair writes what a secret of type kubernetes.io/tls has, with a certificate that vouches for itself.
func writePair(t *testing.T, folder string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"hermod-cluster"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.crt": {Type: "CERTIFICATE", Bytes: cert}, "tls.key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// environment is the container's, with secrets made up and addresses of the loopback.
func environment(t *testing.T, variables []corev1.EnvVar, ops string) []string {
	t.Helper()
	var env []string
	for _, variable := range variables {
		value := strings.ReplaceAll(variable.Value, "$(HERMOD_POD_NAME)", "hermod-0")
		switch {
		case variable.Name == "HERMOD_OPS_ADDR":
			if value != "0.0.0.0:8081" {
				t.Errorf("the node listens on %s; probes ask port 8081", value)
			}
			value = ops
		case strings.HasPrefix(value, "0.0.0.0:"):
			value = "127.0.0.1:0"
			if variable.Name == "HERMOD_CLUSTER_LISTEN" {
				value = variable.Value
			}
		case variable.Name == "HERMOD_DB_DSN":
			value = map[bool]string{true: "hermod:secret@tcp(db:3306)/hermod", false: "postgres://hermod:secret@db/hermod"}[slices.Contains(env, "HERMOD_DB_DRIVER=mysql")]
		case strings.HasSuffix(variable.Name, "_TOKEN") && variable.ValueFrom.SecretKeyRef.Optional != nil:
			continue // that secret has a username and a password
		case variable.ValueFrom != nil:
			value = strings.Repeat("secret-", 6)
		}
		env = append(env, variable.Name+"="+value)
	}
	return env
}
