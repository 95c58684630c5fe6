package chart

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
)

// Folder is where the chart is.
const Folder = "../../../deploy/kubernetes/hermod"

// Release is a chart rendered with somebody's values.
type Release struct {
	Objects []runtime.Object
	Notes   string
}

// Load reads the chart.
func Load() (*chartv2.Chart, error) { return loader.Load(Folder) }

// ValueFiles are the files of values in the chart's folder ci, by their base names.
func ValueFiles() (map[string]map[string]any, error) {
	files, err := filepath.Glob(filepath.Join(Folder, "ci", "*-values.yaml"))
	if err != nil {
		return nil, err
	}
	found := map[string]map[string]any{}
	for _, file := range files {
		values, err := common.ReadValuesFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		found[strings.TrimSuffix(filepath.Base(file), "-values.yaml")] = values
	}
	return found, nil
}

// Cluster is the version of Kubernetes that the chart is rendered for, unless a test says otherwise.
const Cluster = "v1.34.0"

// Render is what `helm template NAME` writes, decoded: unknown and repeated fields are errors.
func Render(name, cluster string, values map[string]any) (*Release, error) {
	return RenderIn("games", name, cluster, values)
}

// RenderIn renders for a namespace.
func RenderIn(namespace, name, cluster string, values map[string]any) (*Release, error) {
	c, err := Load()
	if err != nil {
		return nil, err
	}
	version, err := common.ParseKubeVersion(cluster)
	if err != nil {
		return nil, err
	}
	able := common.DefaultCapabilities.Copy()
	able.KubeVersion = *version
	options := common.ReleaseOptions{Name: name, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(c, values, options, able)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(c, all)
	if err != nil {
		return nil, err
	}
	return decode(rendered)
}

// decode reads the documents of rendered files.
func decode(rendered map[string]string) (*Release, error) {
	decoder, err := strictDecoder()
	if err != nil {
		return nil, err
	}
	release := &Release{}
	for _, file := range slices.Sorted(maps.Keys(rendered)) {
		if strings.HasSuffix(file, "NOTES.txt") {
			release.Notes = rendered[file]
			continue
		}
		for document := range strings.SplitSeq(rendered[file], "\n---") {
			if strings.TrimSpace(strings.TrimPrefix(document, "---")) == "" {
				continue
			}
			object, _, err := decoder.Decode([]byte(document), nil, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", file, err, document)
			}
			release.Objects = append(release.Objects, object)
		}
	}
	return release, nil
}

// strictDecoder knows all of Kubernetes, and the Prometheus operator.
func strictDecoder() (runtime.Decoder, error) {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, monitoringv1.AddToScheme} {
		if err := add(known); err != nil {
			return nil, err
		}
	}
	return serializer.NewCodecFactory(known, serializer.EnableStrict).UniversalDeserializer(), nil
}

// Workload is what runs the pods: a StatefulSet or a Deployment.
type Workload struct {
	Kind, Name string
	Replicas   *int32
	Selector   map[string]string
	Template   corev1.PodTemplateSpec
	// Governing is the service that gives the pods their names, and Claims what is made for each of them; a
	// Deployment has neither.
	Governing string
	Claims    []corev1.PersistentVolumeClaim
}

// Workloads returns those of the release.
func (r *Release) Workloads() (all []Workload) {
	for _, s := range Of[*appsv1.StatefulSet](r) {
		all = append(all, Workload{
			s.Kind, s.Name, s.Spec.Replicas, s.Spec.Selector.MatchLabels, s.Spec.Template, s.Spec.ServiceName, s.Spec.VolumeClaimTemplates,
		})
	}
	for _, d := range Of[*appsv1.Deployment](r) {
		all = append(all, Workload{
			Kind: d.Kind, Name: d.Name, Replicas: d.Spec.Replicas, Selector: d.Spec.Selector.MatchLabels, Template: d.Spec.Template,
		})
	}
	return all
}

// Of returns the objects of one kind.
func Of[T runtime.Object](r *Release) []T {
	var found []T
	for _, object := range r.Objects {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}
