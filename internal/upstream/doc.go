// Package upstream calls business services over gRPC: it implements biz.UpstreamCaller. Which instance
// is asked, and what follows from a failure, are rules of internal/biz; here are connections, the wire,
// and what its errors mean.
package upstream
