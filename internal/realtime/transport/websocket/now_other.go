//go:build !unix

package websocket

import "errors"

// canTry tells that the system reads and writes without waiting.
const canTry = false

func readNow(uintptr, []byte) (n int, later bool, err error) { return 0, false, errors.ErrUnsupported }

func writeNow(uintptr, []byte) (n int, later bool, err error) { return 0, false, errors.ErrUnsupported }
