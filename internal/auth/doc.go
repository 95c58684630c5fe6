// Package auth tells who a caller is. It holds the authenticators that are shipped (dev, trusted,
// jwt), and turns what the one says that auth.mode chooses into a biz.Identity; Verifier does that
// for clients and ServiceGuard for business services. It knows no transport: whoever accepts calls
// hands it the texts of the request.
//
// Everything here is safe for concurrent use. The jwt authenticator owns the fetching of a remote
// key set, which Stop ends; nothing else has a goroutine. Errors of Verifier and
// ServiceGuard are *biz.Error, and no error holds any part of a token or key.
package auth
