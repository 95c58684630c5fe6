//go:build !linux && !darwin

package doctor

func availableBytes(string) (free uint64, known bool) { return 0, false }

func maxFiles() (most uint64, known bool) { return 0, false }
