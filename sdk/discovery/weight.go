package discovery

import (
	"errors"
	"fmt"
	"strings"
)

// MetadataWeight is the key in ServiceInfo.Metadata of an instance's weight.
const MetadataWeight = "weight"

// Weights are counted in thousandths, so that shares are exact.
const (
	weightUnit = 1000
	maxWeight  = 1_000_000 * weightUnit
	decimals   = 3
)

// WeightError is a weight that balancers refuse.
type WeightError struct {
	Instance string // ServiceInfo.Key
	Value    string
}

func (e *WeightError) Error() string {
	return fmt.Sprintf("discovery: weight %q of instance %s: allowed are decimals from 0.001 to 1000000 "+
		"with at most three digits after the point, or no weight, which counts as 1", e.Value, e.Instance)
}

// Weight returns the share of the instance in relation to others, as its metadata says under
// MetadataWeight: a plain decimal from 0.001 to 1000000 with at most three digits after the
// point, such as 3 or 0.25. Without one it is 1. Anything else is a *WeightError.
func (s *ServiceInfo) Weight() (float64, error) {
	w, err := s.weight()
	return float64(w) / weightUnit, err
}

// CheckWeights returns a *WeightError for each instance whose weight balancers refuse, joined, or
// nil.
func CheckWeights(services []*ServiceInfo) error {
	var faults []error
	for _, s := range services {
		if s == nil {
			continue
		}
		if _, err := s.weight(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// weight is Weight in thousandths.
func (s *ServiceInfo) weight() (int64, error) {
	text, ok := s.Metadata[MetadataWeight]
	if !ok {
		return weightUnit, nil
	}
	w, ok := parseWeight(text)
	if !ok {
		return 0, &WeightError{Instance: s.Key(), Value: text}
	}
	return w, nil
}

func parseWeight(text string) (int64, bool) {
	whole, fraction, point := strings.Cut(text, ".")
	if whole == "" || point && fraction == "" || len(fraction) > decimals {
		return 0, false
	}
	var w int64
	for _, c := range whole + (fraction + "000")[:decimals] {
		if c < '0' || c > '9' {
			return 0, false
		}
		if w = w*10 + int64(c-'0'); w > maxWeight {
			return 0, false
		}
	}
	return w, w > 0
}
