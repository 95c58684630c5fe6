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
	options := common.ReleaseOptions{Name: name, Namespace: "games", Revision: 1, IsInstall: true}
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
