package blob

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3Options say which bucket, and how it is reached.
type S3Options struct {
	Endpoint  string `json:"endpoint"` // http or https, with a host and perhaps a port
	Region    string `json:"region"`
	Bucket    string `json:"bucket"`     // which must exist
	Prefix    string `json:"prefix"`     // of the names of all objects; may be empty
	AccessKey string `json:"access_key"` // with SecretKey; without, CredentialsFile or the environment has them
	SecretKey string `json:"secret_key"`
	// CredentialsFile is one as the AWS command line has it, read again when its credentials expire.
	CredentialsFile string        `json:"credentials_file"`
	Profile         string        `json:"profile"`    // in CredentialsFile; empty: default
	PathStyle       bool          `json:"path_style"` // the bucket is a part of the path and not of the host's name
	CAFile          string        `json:"ca_file"`    // PEM; empty: the system's
	Timeout         time.Duration `json:"timeout"`    // for the service to begin its answer, and to connect; default 10 s
}

const (
	// s3Tries is how often a request is made that failed in a way that may pass.
	s3Tries = 4
	// s3Idle is how many connections wait for the next request: the uploads and fetches of a busy node.
	s3Idle = 128
)

// OpenS3 opens the store in a bucket. A service that says that there is no such bucket, or that the
// credentials do not open it, is an error; one that does not answer is logged, since it may come back.
func OpenS3(ctx context.Context, o S3Options, log *slog.Logger) (*S3, error) {
	s, err := newS3(o, log)
	if err != nil {
		return nil, err
	}
	if err := s.look(ctx, o.patience()); err != nil {
		return nil, err
	}
	return s, nil
}

// newS3 returns a store, and asks nothing of the service.
func newS3(o S3Options, log *slog.Logger) (*S3, error) {
	at, err := url.Parse(o.Endpoint)
	if err != nil || at.Host == "" {
		return nil, fmt.Errorf("blobs: %q is not the address of a service", o.Endpoint)
	}
	transport, err := s3Transport(o.CAFile, o.patience())
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(at.Host, &minio.Options{
		Creds: o.credentials(), Secure: at.Scheme == "https", Region: o.Region,
		Transport: transport, BucketLookup: lookup, MaxRetries: s3Tries,
	})
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	return &S3{api: minio.Core{Client: client}, bucket: o.Bucket, prefix: o.Prefix, log: log}, nil
}

func (o *S3Options) patience() time.Duration { return cmp.Or(o.Timeout, 10*time.Second) }

// look asks for the bucket, so that a wrong name is known before the first upload.
func (s *S3) look(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	there, err := s.api.BucketExists(ctx, s.bucket)
	switch said := minio.ToErrorResponse(err); {
	case err == nil && !there:
		return fmt.Errorf("blobs: there is no bucket %q; make it, or name another in data.blobs.s3.bucket", s.bucket)
	case err == nil:
		return nil
	case said.StatusCode == http.StatusForbidden, said.StatusCode == http.StatusUnauthorized, said.StatusCode == http.StatusBadRequest:
		return fmt.Errorf("blobs: the service refuses to open bucket %q: %w", s.bucket, err)
	}
	s.fails(err)
	return nil
}

func (o *S3Options) credentials() *credentials.Credentials {
	switch {
	case o.AccessKey != "":
		return credentials.NewStaticV4(o.AccessKey, o.SecretKey, "")
	case o.CredentialsFile != "":
		return credentials.NewFileAWSCredentials(o.CredentialsFile, o.Profile)
	}
	// The machine's own identity comes last: where there is none, asking for it takes a while.
	return credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.IAM{}})
}

func s3Transport(caFile string, timeout time.Duration) (*http.Transport, error) {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: timeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:   timeout,
		ResponseHeaderTimeout: timeout,
		MaxIdleConns:          s3Idle,
		MaxIdleConnsPerHost:   s3Idle,
		IdleConnTimeout:       time.Minute,
		DisableCompression:    true, // recordings hardly shrink, and a range is one of the bytes as they are
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if caFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("blobs: %s holds no certificate", strings.TrimSpace(caFile))
	}
	t.TLSClientConfig.RootCAs = roots
	return t, nil
}
