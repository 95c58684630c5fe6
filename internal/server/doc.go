// Package server is how bytes arrive: the listeners of a node, each a Kratos transport.Server, with
// what every call passes before it reaches a service.
//
//	grpc.go       the IM and the gateway listener
//	http.go       the client HTTP listener
//	websocket.go  sessions over WebSocket, on that listener
//	origin.go     which web pages may open them
//	quic.go, quic_certificate.go  the QUIC listener
//	plugged.go, plugged_session.go  the listeners that plugins bring
//	recordings.go recordings to download
//	stream.go     the im.v1 stream, and uploads
//	identity.go   who is calling
//	strict.go     requests that cannot be decoded
//	listener.go   listening, and counting connections
//	certificate.go, certificates.go  TLS, with files that are followed
//	readiness.go  whether the node serves
//	ops.go        health, metrics, profiles
package server
