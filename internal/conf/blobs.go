package conf

import (
	"net/url"
	"strings"
)

// The values of data.blobs.store.
const (
	BlobsDir = "dir"
	BlobsS3  = "s3"
)

// maxBlobPrefix leaves room for a blob's own name in what S3 takes as a key.
const maxBlobPrefix = 512

// checkBlobs reads the settings of S3 only where they are used.
func checkBlobs(b *Data_Blobs, ps *Problems) {
	if b.GetStore() != BlobsS3 {
		return
	}
	const at = "data.blobs.s3."
	s := b.GetS3()
	if !isOrigin(s.GetEndpoint()) {
		ps.add(at+"endpoint", "%q is not an http or https address of a host, such as https://s3.eu-central-1.amazonaws.com", ShownURL(s.GetEndpoint()))
	}
	if s.GetBucket() == "" || strings.ContainsAny(s.GetBucket(), "/ ") {
		ps.add(at+"bucket", "%q is not the name of a bucket", s.GetBucket())
	}
	if p := s.GetPrefix(); len(p) > maxBlobPrefix || strings.HasPrefix(p, "/") || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r > '~' }) {
		ps.add(at+"prefix", "%q cannot begin the names of objects; at most %d characters of ASCII without blanks, not beginning with /", p, maxBlobPrefix)
	}
	switch key, secret := s.GetAccessKey() != "", s.GetSecretKey() != ""; {
	case key != secret:
		ps.add(at+"secret_key", "and access_key belong together: set both, or neither to take credentials_file or the environment")
	case key && s.GetCredentialsFile() != "":
		ps.add(at+"credentials_file", "is given beside access_key; one of them says who the node is")
	case s.GetProfile() != "" && s.GetCredentialsFile() == "":
		ps.add(at+"profile", "is of a credentials_file, and there is none")
	}
}

// isOrigin tells whether a text is the address of a host and nothing in it.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	return (u.Scheme == "http" || u.Scheme == "https") && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.Fragment == ""
}
