package client

import (
	"sync/atomic"
	"time"
)

// Stats is what a client has done since it was made, over all its connections.
type Stats struct {
	Connects   uint64 // connections made, the first and those after another Connect included
	Reconnects uint64 // of these, those that the client made by itself after a loss
	Resumed    uint64 // of these, those on which the session went on
	Moves      uint64 // of Connects, those to another instance because the instances had changed

	Sent      uint64 // messages that the server accepted
	SentBytes uint64 // their content
	Refused   uint64 // messages that the server refused

	Received      uint64 // messages handed to OnMessage, or dropped because there is none
	ReceivedBytes uint64 // their content
	Duplicates    uint64 // messages and frames that had come before
	Invalid       uint64 // messages that Config.Validate refused
	Acks          uint64 // acknowledgements written; one is good for many messages

	HeartbeatRTT time.Duration // of the last heartbeat that was answered; 0 before the first
	Queued       int           // what waits for OnMessage and the other callbacks now
}

// Stats returns the present figures. It is cheap enough to be called often, but the figures are
// read one after another: they may belong to moments a little apart.
func (c *Client) Stats() Stats {
	s := &c.stats
	return Stats{
		Connects:      s.connects.Load(),
		Reconnects:    s.reconnects.Load(),
		Resumed:       s.resumed.Load(),
		Moves:         s.moves.Load(),
		Sent:          s.sent.Load(),
		SentBytes:     s.sentBytes.Load(),
		Refused:       s.refused.Load(),
		Received:      s.received.Load(),
		ReceivedBytes: s.receivedBytes.Load(),
		Duplicates:    s.duplicates.Load(),
		Invalid:       s.invalid.Load(),
		Acks:          s.acks.Load(),
		HeartbeatRTT:  time.Duration(s.rtt.Load()),
		Queued:        c.queue.length(),
	}
}

type stats struct {
	connects, reconnects, resumed, moves               atomic.Uint64
	sent, sentBytes, refused                           atomic.Uint64
	received, receivedBytes, duplicates, invalid, acks atomic.Uint64
	rtt                                                atomic.Int64
}

func (s *stats) connected(resumed bool) {
	s.connects.Add(1)
	if resumed {
		s.resumed.Add(1)
	}
}

func (s *stats) delivered(bytes int) {
	s.received.Add(1)
	s.receivedBytes.Add(uint64(bytes))
}

// settled counts the outcome of a send whose content had so many bytes.
func (s *stats) settled(bytes int, err error) {
	if err != nil {
		s.refused.Add(1)
		return
	}
	s.sent.Add(1)
	s.sentBytes.Add(uint64(bytes))
}
