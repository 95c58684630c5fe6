//go:build race

package centre

func init() { raceDetector = true }
