package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/conf"
)

const (
	// lookEvery is how often files are looked at. Asking costs a few system calls, and works where
	// nothing tells of changes: network file systems, and the links that Kubernetes swaps.
	lookEvery = 3 * time.Second
	// endsSoon is how long before its end a certificate is warned about.
	endsSoon = 7 * 24 * time.Hour
)

// Certificates secures the listeners of a node that speak TLS, and follows the files that their
// certificates are in. Safe for concurrent use. A nil *Certificates secures none.
type Certificates struct {
	of      map[string]*certificate // by listener
	log     *slog.Logger
	expiry  *prometheus.GaugeVec
	reloads *prometheus.CounterVec
}

// NewCertificates reads what the configuration names.
func NewCertificates(c *conf.Config, log *slog.Logger) (*Certificates, error) {
	cs := &Certificates{
		of: map[string]*certificate{}, log: log,
		expiry: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hermod_tls_certificate_expiry_timestamp_seconds", Help: "When the certificate of a listener expires, in seconds since 1970.",
		}, []string{"listener"}),
		reloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hermod_tls_reloads_total", Help: "Times that changed files were read, by listener and result.",
		}, []string{"listener", "result"}),
	}
	s := c.GetServer()
	quic := s.GetQuic().GetTls()
	if s.GetQuic().GetAddr() != "" && !quic.Enabled() {
		own, err := ownCertificate(filepath.Join(c.GetData().GetDir(), "tls"), time.Now())
		if err != nil {
			return nil, fmt.Errorf("a certificate for QUIC: %w", err)
		}
		quic = own
	}
	for _, l := range []struct {
		name   string
		files  *conf.Server_TLS
		protos []string
	}{
		{"im", s.GetIm().GetTls(), []string{"h2"}},
		{"gateway", s.GetGateway().GetTls(), []string{"h2"}},
		{"http", s.GetHttp().GetTls(), []string{"h2", "http/1.1"}},
		{"quic", quic, []string{ALPN, ALPNIM}},
		{"ops", s.GetOps().GetTls(), []string{"h2", "http/1.1"}},
	} {
		if !l.files.Enabled() {
			continue
		}
		cert, err := openCertificate(l.files, l.protos, time.Now())
		if err != nil {
			return nil, fmt.Errorf("server.%s.tls.%w", l.name, err)
		}
		cs.of[l.name] = cert
		cs.observe(l.name, cert)
		for _, result := range []string{"ok", "refused"} { // from 0, so that Prometheus sees the first one as a rise
			cs.reloads.WithLabelValues(l.name, result)
		}
	}
	return cs, nil
}

// Collectors returns the instruments for registration.
func (cs *Certificates) Collectors() []prometheus.Collector {
	return []prometheus.Collector{cs.expiry, cs.reloads}
}

// config returns what a listener is secured with, nil for plain text.
func (cs *Certificates) config(listener string) *tls.Config {
	if cs == nil || cs.of[listener] == nil {
		return nil
	}
	return cs.of[listener].config
}

// Run follows the files until ctx ends, and warns of certificates that end soon, once a day.
func (cs *Certificates) Run(ctx context.Context) error {
	if len(cs.of) == 0 {
		return nil
	}
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	var warned time.Time
	for {
		if now := time.Now(); now.Sub(warned) >= 24*time.Hour {
			warned = now
			cs.warn(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticks.C:
			cs.refresh(now)
		}
	}
}

// refresh reads what has changed. What is wrong leaves the node with what it has, and is said once,
// since it is not read again before it changes again.
func (cs *Certificates) refresh(now time.Time) {
	for name, cert := range cs.of {
		switch changed, err := cert.refresh(now); {
		case err != nil:
			cs.reloads.WithLabelValues(name, "refused").Inc()
			cs.log.Error("a changed certificate was refused; the listener goes on with the one that it has",
				"listener", name, "error", fmt.Errorf("server.%s.tls.%w", name, err), "expires", cert.expiry())
		case changed:
			cs.reloads.WithLabelValues(name, "ok").Inc()
			cs.observe(name, cert)
			cs.log.Info("the certificate of a listener was read anew", "listener", name, "expires", cert.expiry())
		}
	}
}

func (cs *Certificates) warn(now time.Time) {
	for name, cert := range cs.of {
		if left := cert.expiry().Sub(now); left < endsSoon {
			cs.log.Warn("the certificate of a listener expires soon", "listener", name, "expires", cert.expiry(), "left", left.Round(time.Minute))
		}
	}
}

func (cs *Certificates) observe(name string, cert *certificate) {
	cs.expiry.WithLabelValues(name).Set(float64(cert.expiry().Unix()))
}
