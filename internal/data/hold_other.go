//go:build !linux && !darwin

package data

func hold(string) (release func() error, err error) { return func() error { return nil }, nil }
