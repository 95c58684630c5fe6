//go:build !linux

package websocket

// watcher is nobody: each connection at rest has a goroutine.
type watcher struct{}

func (*watcher) add(*Conn) bool { return false }

func (*watcher) forget(*Conn) {}

func (*watcher) stop() {}
