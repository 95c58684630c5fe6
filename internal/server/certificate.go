package server

import (
	"crypto/tls"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

// certificate is what one listener shows, and whom it trusts: the newest that its files had and that
// was right. Handshakes read it without a lock; refresh is called by one goroutine.
type certificate struct {
	files   *conf.Server_TLS
	config  *tls.Config                // what the listener is opened with
	current atomic.Pointer[tls.Config] // what a handshake that begins now uses

	seen [3]fs.FileInfo // of the files, when they were last read
}

// openCertificate reads the files for a listener that speaks these protocols.
func openCertificate(files *conf.Server_TLS, protos []string, now time.Time) (*certificate, error) {
	c := &certificate{files: files, config: &tls.Config{MinVersion: files.Version(), NextProtos: protos}}
	if files.GetClientCaFile() != "" {
		c.config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if err := c.read(now); err != nil {
		return nil, err
	}
	// Where clients are not asked, one configuration serves for good, so that they can resume a TLS
	// session, and the certificate alone changes. Otherwise each version of the files has its own: what
	// an older authority vouched for must not be resumed under a newer one.
	if files.GetClientCaFile() == "" {
		c.config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &c.current.Load().Certificates[0], nil }
	} else {
		c.config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current.Load(), nil }
	}
	return c, nil
}

// read makes what the files hold current, unless it is wrong.
func (c *certificate) read(now time.Time) error {
	c.seen = look(c.files) // before they are read: what changes meanwhile is read again
	pair, err := c.files.Certificate(now)
	if err != nil {
		return err
	}
	clients, err := c.files.ClientCAs()
	if err != nil {
		return err
	}
	c.current.Store(&tls.Config{
		MinVersion: c.config.MinVersion, NextProtos: c.config.NextProtos, ClientAuth: c.config.ClientAuth,
		Certificates: []tls.Certificate{*pair}, ClientCAs: clients,
	})
	return nil
}

// refresh reads the files again if they have changed, and tells whether they had.
func (c *certificate) refresh(now time.Time) (changed bool, err error) {
	if sameFiles(c.seen, look(c.files)) {
		return false, nil
	}
	return true, c.read(now)
}

// expiry is when the certificate that is shown ends to be valid.
func (c *certificate) expiry() time.Time { return c.current.Load().Certificates[0].Leaf.NotAfter }

// look tells what the files are now, wherever links lead. One that cannot be looked at is nil.
func look(files *conf.Server_TLS) (infos [3]fs.FileInfo) {
	for i, name := range []string{files.GetCertFile(), files.GetKeyFile(), files.GetClientCaFile()} {
		if info, err := os.Stat(name); err == nil {
			infos[i] = info
		}
	}
	return infos
}

func sameFiles(a, b [3]fs.FileInfo) bool {
	for i := range a {
		switch {
		case a[i] == nil && b[i] == nil:
		case a[i] == nil || b[i] == nil, !os.SameFile(a[i], b[i]),
			a[i].Size() != b[i].Size(), !a[i].ModTime().Equal(b[i].ModTime()):
			return false
		}
	}
	return true
}
