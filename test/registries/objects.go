package registries

import (
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// MakeBucket makes a bucket of an object store, by its name.
func (s *Server) MakeBucket(name string) {
	s.t.Helper()
	admin, err := minio.New(s.Addr, &minio.Options{
		Creds: credentials.NewStaticV4(ObjectsAccessKey, ObjectsSecretKey, ""), Region: ObjectsRegion,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := admin.MakeBucket(s.t.Context(), name, minio.MakeBucketOptions{Region: ObjectsRegion}); err != nil {
		s.t.Fatal(err)
	}
}
