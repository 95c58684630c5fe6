package centre

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
)

// tlsFiles says how a connection is secured: tls=true trusts what the system trusts, ca=FILE names
// other authorities, cert=FILE and key=FILE show who the node is. Any of the files implies tls.
type tlsFiles struct {
	on            bool
	ca, cert, key string
}

func readTLS(query url.Values) (tlsFiles, error) {
	f := tlsFiles{ca: query.Get("ca"), cert: query.Get("cert"), key: query.Get("key")}
	if text := query.Get("tls"); text != "" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return f, fmt.Errorf("tls=%s: true or false is allowed", text)
		}
		f.on = on
	}
	if (f.cert == "") != (f.key == "") {
		return f, errors.New("cert and key belong together: give both files, or none")
	}
	f.on = f.on || f.ca != "" || f.cert != ""
	return f, nil
}

// config returns nil when the connection is not secured.
func (f tlsFiles) config() (*tls.Config, error) {
	if !f.on {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, err
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, err
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
