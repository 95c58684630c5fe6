package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data/blob"
)

// blobs finds out whether a node could keep recordings where it is to, if that is a bucket: the folder is that of
// dataDir.
func blobs(ctx context.Context, c *conf.Config) []Finding {
	b := c.GetData().GetBlobs()
	switch b.GetStore() {
	case conf.BlobsDir:
		return []Finding{ok("recordings are kept in data.dir")}
	case conf.BlobsS3:
	default:
		return []Finding{ok("data.blobs.store " + b.GetStore() + " is a plugin of the node's own, which hermodctl cannot ask; the node's /readyz says how it stands")}
	}
	s := b.GetS3()
	err := blob.TryS3(ctx, blob.S3Options{
		Endpoint: s.GetEndpoint(), Region: s.GetRegion(), Bucket: s.GetBucket(), Prefix: s.GetPrefix(), AccessKey: s.GetAccessKey(), SecretKey: s.GetSecretKey(),
		CredentialsFile: s.GetCredentialsFile(), Profile: s.GetProfile(), PathStyle: s.GetPathStyle(), CAFile: s.GetCaFile(), Timeout: s.GetTimeout().AsDuration(),
	})
	if err == nil {
		return []Finding{ok(fmt.Sprintf("bucket %s at %s is writable", s.GetBucket(), s.GetEndpoint()))}
	}
	return []Finding{bucketFault(s, err)}
}

func bucketFault(s *conf.Data_Blobs_S3, err error) Finding {
	bucket := fmt.Sprintf("bucket %s at %s", s.GetBucket(), s.GetEndpoint())
	fault, asked := errors.AsType[*blob.S3Fault](err)
	if !asked {
		return failure(bucket+" cannot be asked: "+err.Error(), "correct data.blobs.s3")
	}
	switch fault.Code {
	case "":
		return warning(bucket+" does not answer: "+err.Error(),
			"see whether the service runs, and correct data.blobs.s3.endpoint; if certificates do not fit: ca_file; if the host is unknown that has the bucket in its name: path_style; "+
				"if there are no credentials: access_key, credentials_file or the environment. A node starts, and takes no recordings")
	case "NoSuchBucket":
		return failure(bucket+" does not exist: "+err.Error(), "make it, or correct data.blobs.s3.bucket")
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "XAdminUserNotFound": // the last is Versity's
		return failure(bucket+" does not take the key: "+err.Error(), "correct data.blobs.s3.access_key and secret_key, or what credentials_file or the environment have")
	case "RequestTimeTooSkewed":
		return failure(bucket+" has another time than this machine: "+err.Error(), "set the clock (timedatectl), and have it kept by NTP; requests are signed for a time, with 15 minutes to spare")
	case "AccessDenied":
		return failure(bucket+" may not be written: "+err.Error(), "allow this key what docs/audio.md has a node need, s3:PutObject and s3:DeleteObject among it, or give another key")
	}
	return failure(bucket+" refuses to keep recordings: "+fault.Code+": "+err.Error(), "see what the service says; data.blobs.s3.region and path_style have to be its own")
}
