package discovery

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func weighted(id, weight string) *ServiceInfo {
	return &ServiceInfo{ID: id, Name: "im-service", Address: "10.0.0.1", Port: 8083,
		Metadata: map[string]string{MetadataWeight: weight}}
}

func TestWeight(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"1": 1, "3": 3, "007": 7, "1.0": 1, "0.5": 0.5, "2.125": 2.125, "0.001": 0.001, "1000000": 1e6, "1000000.000": 1e6,
	} {
		if got, err := weighted("a", text).Weight(); err != nil || got != want {
			t.Errorf("%q weighs %v with error %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "0", "0.0", "000", "-1", "-0.5", "+1", "2x", "x2", " 1", "1 ", "1e3", "0x10", "1_0", ".5", "5.", ".", "1.2.3",
		"0.0001", "0.0000", "1000000.001", "1000001", "99999999999999999999", "NaN", "Inf", "1,5", "٣",
	} {
		got, err := weighted("a", text).Weight()
		var fault *WeightError
		if !errors.As(err, &fault) || fault.Instance != "a" || fault.Value != text {
			t.Errorf("%q weighs %v with error %v, want a *WeightError that names both", text, got, err)
		}
	}
	if got, err := new(ServiceInfo).Weight(); err != nil || got != 1 {
		t.Errorf("without metadata: %v with error %v, want 1", got, err)
	}
}

func TestCheckWeights(t *testing.T) {
	t.Parallel()
	if err := CheckWeights([]*ServiceInfo{weighted("a", "1"), nil, {}}); err != nil {
		t.Errorf("good weights: %v", err)
	}
	err := CheckWeights([]*ServiceInfo{weighted("a", "0"), weighted("b", "2"), weighted("c", "2x")})
	for _, want := range []string{`"0" of instance a`, `"2x" of instance c`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

// Every weight that is taken is the number that it reads as.
func FuzzWeight(f *testing.F) {
	for _, text := range []string{"1", "0", "-1", "0.25", "2x", "1e9", "1000000.000", "1.", ".1", "٣", "000000000000000001"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := weighted("a", text).Weight()
		if err != nil {
			var fault *WeightError
			if !errors.As(err, &fault) || got != 0 {
				t.Errorf("%q: weight %v with error %v", text, got, err)
			}
			return
		}
		want, err := strconv.ParseFloat(text, 64)
		if err != nil || got <= 0 || got > 1e6 || got != want {
			t.Errorf("%q weighs %v, but reads as %v (%v)", text, got, want, err)
		}
	})
}

func TestWeightsAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		thousandths := rapid.Int64Range(1, maxWeight).Draw(t, "thousandths")
		text := strconv.FormatFloat(float64(thousandths)/weightUnit, 'f', -1, 64)
		if got, ok := parseWeight(text); !ok || got != thousandths {
			t.Errorf("%q is %d thousandths, want %d", text, got, thousandths)
		}
	})
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := ServiceInfo{Name: "im-service", Address: "10.0.0.1", Port: 8083}
	if err := good.Validate(); err != nil {
		t.Errorf("a good instance: %v", err)
	}
	tests := map[string]struct {
		spoil func(*ServiceInfo)
		want  string
	}{
		"name":    {func(s *ServiceInfo) { s.Name = "" }, "no Name"},
		"address": {func(s *ServiceInfo) { s.Address = "" }, "no Address"},
		"port":    {func(s *ServiceInfo) { s.Port = 65536 }, "allowed are 0 (none) to 65535"},
		"below":   {func(s *ServiceInfo) { s.Port = -1 }, "allowed are 0 (none) to 65535"},
		"health":  {func(s *ServiceInfo) { s.Health = "fine" }, "allowed are healthy, unhealthy and unknown"},
		"weight":  {func(s *ServiceInfo) { s.Metadata = map[string]string{MetadataWeight: "0"} }, `weight "0"`},
	}
	for name, tt := range tests {
		s := good
		tt.spoil(&s)
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, tt.want)
		}
	}
}
