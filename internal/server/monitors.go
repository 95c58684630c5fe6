package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
)

// Monitors serves /health and /stats in the form that monitors of gatesvr know.
type Monitors struct {
	Ready    *Readiness
	Sessions *biz.Sessions
	Services *auth.ServiceGuard
	Conf     *conf.Config
}

type healthPage struct {
	Status            string `json:"status"` // healthy, unhealthy
	ActiveConnections int    `json:"active_connections"`
	Timestamp         int64  `json:"timestamp"` // seconds since 1970
}

// health answers 503 when the node does not serve. With checks it looks at what the node depends on, too:
// not where everybody may ask, who could keep the store busy with that.
func (m *Monitors) health(checks bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serving := m.Ready.serving.Load()
		if checks {
			serving = m.Ready.Ready(r.Context()) == nil
		}
		page, code := healthPage{"healthy", m.Sessions.Count(), time.Now().Unix()}, http.StatusOK
		if !serving {
			page.Status, code = "unhealthy", http.StatusServiceUnavailable
		}
		writePage(w, r, code, page)
	})
}

type statsPage struct {
	TotalSessions int            `json:"total_sessions"`
	Sessions      []sessionStats `json:"sessions"` // the first of them, for services alone
	Timestamp     int64          `json:"timestamp"`
}

type sessionStats struct {
	SessionID    string       `json:"session_id"`
	CreateTime   time.Time    `json:"create_time"`
	LastActivity time.Time    `json:"last_activity"`
	PendingCount int          `json:"pending_count"` // frames that were written and are not acknowledged
	RemoteAddr   string       `json:"remote_addr"`
	OrderedQueue orderedQueue `json:"ordered_queue"`
}

type orderedQueue struct {
	SessionID       string `json:"session_id"`
	QueueSize       int    `json:"queue_size"` // frames that were not written
	PendingCount    int    `json:"pending_count"`
	MaxQueueSize    int    `json:"max_queue_size"` // 0: bytes are bounded instead
	QueueBytes      int    `json:"queue_bytes"`
	MaxQueueBytes   int64  `json:"max_queue_bytes"`
	NextExpectedSeq uint64 `json:"next_expected_seq"`
	LastSentSeq     uint64 `json:"last_sent_seq"`
	LastAckedSeq    uint64 `json:"last_acked_seq"`
	Stopped         bool   `json:"stopped"`
}

// stats counts the sessions, and lists them for services, where it may list at all: who is connected
// from where is nobody else's business.
func (m *Monitors) stats(list bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := statsPage{TotalSessions: m.Sessions.Count(), Sessions: []sessionStats{}, Timestamp: time.Now().Unix()}
		limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
		if err != nil || limit < 1 || limit > biz.MaxSessionPage {
			limit = biz.MaxSessionPage
		}
		if list && m.isService(r) {
			found, err := m.Sessions.List(r.Context(), biz.SessionQuery{Here: true}, "", limit)
			if err != nil {
				answerHTTP(w, r, http.StatusInternalServerError, "INTERNAL", "internal error")
				return
			}
			for _, s := range found.Sessions {
				page.Sessions = append(page.Sessions, m.statsOf(s))
			}
		}
		writePage(w, r, http.StatusOK, page)
	})
}

func (m *Monitors) isService(r *http.Request) bool {
	_, err := newHTTPServices(m.Conf, m.Services).check(r)
	return err == nil
}

func (m *Monitors) statsOf(s biz.SessionInfo) sessionStats {
	pending := s.QueueFrames - s.Unsent
	return sessionStats{
		SessionID: string(s.ID), CreateTime: s.Started, LastActivity: s.LastActive, PendingCount: pending, RemoteAddr: s.Remote,
		OrderedQueue: orderedQueue{
			SessionID: string(s.ID), QueueSize: s.Unsent, PendingCount: pending,
			QueueBytes: s.QueueBytes, MaxQueueBytes: m.Conf.GetSession().GetQueueBytes(),
			NextExpectedSeq: s.LastSent + 1, LastSentSeq: s.LastSent, LastAckedSeq: s.LastAcked,
		},
	}
}

func writePage(w http.ResponseWriter, r *http.Request, code int, page any) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		answerHTTP(w, r, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "only GET and HEAD are allowed here")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(page) // a client that has gone does not read it
	}
}
