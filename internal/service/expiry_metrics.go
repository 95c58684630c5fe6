package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
)

// ExpiryCounters tell what the rules have ended since its time was over. What retention deletes is counted by the store.
type ExpiryCounters struct {
	messages *biz.Revisions
	rooms    *biz.IdleRooms
}

// NewExpiryCounters returns counters that are registered nowhere yet.
func NewExpiryCounters(messages *biz.Revisions, rooms *biz.IdleRooms) *ExpiryCounters {
	return &ExpiryCounters{messages, rooms}
}

// Collectors returns the instruments for registration.
func (c *ExpiryCounters) Collectors() []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hermod_expired_messages_total", Help: "Messages erased since the time that their senders gave them was over.",
		}, func() float64 { return float64(c.messages.Expired()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "hermod_idle_rooms_ended_total", Help: "Rooms ended since nothing was said in them for too long.",
		}, func() float64 { return float64(c.rooms.Ended()) }),
	}
}
