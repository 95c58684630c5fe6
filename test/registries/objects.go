package registries

import (
	"context"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// MakeBucket makes a bucket of an object store, by its name.
func (s *Server) MakeBucket(name string) {
	s.t.Helper()
	if err := s.admin().MakeBucket(s.t.Context(), name, minio.MakeBucketOptions{Region: ObjectsRegion}); err != nil {
		s.t.Fatal(err)
	}
}

// Objects returns the names of what is in a bucket.
func (s *Server) Objects(bucket string) (names []string) {
	s.t.Helper()
	for o := range s.admin().ListObjects(context.WithoutCancel(s.t.Context()), bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			s.t.Fatal(o.Err)
		}
		names = append(names, o.Key)
	}
	return names
}

func (s *Server) admin() *minio.Client {
	s.t.Helper()
	admin, err := minio.New(s.Addr, &minio.Options{
		Creds: credentials.NewStaticV4(ObjectsAccessKey, ObjectsSecretKey, ""), Region: ObjectsRegion,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return admin
}
