//go:build race

package doctor

func init() { raceDetector = true }
