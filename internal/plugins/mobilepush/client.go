package mobilepush

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// answerBytes bounds what is read of a provider's answer.
const answerBytes = 64 << 10

// trusted returns the authorities of a ca_file; nil: those of the system.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil //nolint:nilnil // which crypto/tls takes for the system's
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", file)
	}
	return pool, nil
}

// newClient returns a client that keeps its connections, notices those that are dead, and goes where it is sent alone:
// what has credentials follows no redirection.
func newClient(caFile string, connections int, timeout time.Duration) (*http.Client, error) {
	pool, err := trusted(caFile)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, ForceAttemptHTTP2: true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConnsPerHost: connections, IdleConnTimeout: 90 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// head is what an answer has beside its body.
type head struct {
	Status     string // with its text
	StatusCode int
	Proto      string
	ProtoMajor int
	Header     http.Header
}

// fetched makes a request and reads the answer, of which more than most is an error. With an answer that began and could
// not be read there is a head beside the error.
func fetched(client *http.Client, req *http.Request, most int64) (*head, []byte, error) {
	req.Header.Set("User-Agent", "hermod-mobile-push")
	resp, err := client.Do(req)
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, which names a device
	}
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err == nil && int64(len(body)) > most {
		err = fmt.Errorf("the answer has more than %d bytes", most)
	}
	if err != nil {
		body = nil
	}
	return &head{resp.Status, resp.StatusCode, resp.Proto, resp.ProtoMajor, resp.Header}, body, err
}

// maxRetryAfter is the most of a Retry-After that is believed.
const maxRetryAfter = time.Hour

// retryAfter reads the header of that name, in seconds or as a date; 0: there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxRetryAfter/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}
