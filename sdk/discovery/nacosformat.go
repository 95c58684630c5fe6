package discovery

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"strconv"

	"github.com/nacos-group/nacos-sdk-go/v2/model"
)

// Nacos has no place for an ID of one's own, nor for tags.
const (
	nacosID   = "hermod.id"
	nacosTags = "hermod.tags" // in JSON
)

func toNacosMetadata(s *ServiceInfo) map[string]string {
	m := maps.Clone(s.Metadata)
	if m == nil {
		m = make(map[string]string)
	}
	m[nacosID] = s.ID
	if len(s.Tags) > 0 {
		tags, _ := json.Marshal(s.Tags) // strings can always be encoded
		m[nacosTags] = string(tags)
	}
	return m
}

func fromNacos(name string, instances []model.Instance) []*ServiceInfo {
	var services []*ServiceInfo
	for _, i := range instances {
		s := &ServiceInfo{
			ID: i.InstanceId, Name: name, Address: i.Ip, Port: int(i.Port),
			Metadata: maps.Clone(i.Metadata), Health: HealthUnhealthy,
		}
		if i.Healthy && i.Enable && i.Weight > 0 {
			s.Health = HealthHealthy
		}
		if s.Metadata == nil {
			s.Metadata = make(map[string]string)
		}
		if id := s.Metadata[nacosID]; id != "" {
			s.ID = id
		}
		if s.ID == "" {
			s.ID = s.Target()
		}
		if tags := s.Metadata[nacosTags]; tags != "" && json.Unmarshal([]byte(tags), &s.Tags) != nil {
			s.Tags = nil // somebody else's
		}
		delete(s.Metadata, nacosID)
		delete(s.Metadata, nacosTags)
		if i.Weight > 0 { // as an operator may have changed it
			s.Metadata[MetadataWeight] = formatWeight(i.Weight)
		}
		services = append(services, s)
	}
	return services
}

// formatWeight returns the nearest weight that balancers take.
func formatWeight(w float64) string {
	w = math.Round(w*weightUnit) / weightUnit
	return strconv.FormatFloat(min(max(w, 1.0/weightUnit), maxWeight/weightUnit), 'f', -1, 64)
}

// hostPort is Target in two, for registries that need it so.
func (s *ServiceInfo) hostPort() (host string, port uint64, err error) {
	if s.Port != 0 {
		return s.Address, uint64(s.Port), nil
	}
	host, text, err := net.SplitHostPort(s.Address)
	if err == nil {
		port, err = strconv.ParseUint(text, 10, 16)
	}
	if err != nil {
		return "", 0, fmt.Errorf("discovery: instance %s: %w", s.ID, err)
	}
	return host, port, nil
}
