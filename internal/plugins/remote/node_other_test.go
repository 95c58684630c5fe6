//go:build !linux

package remote_test

func beNode() { panic("only on Linux does a process end with the node for certain") }
