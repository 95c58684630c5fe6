package hermod

import (
	"os"
	"time"
)

// echo is how long after a signal the same may come again: a terminal sends Ctrl-C to the node and to what has started it,
// such as make, which may hand it on.
const echo = time.Second

// heed calls stop at the first signal, and returns the next one that is no echo of it.
func heed(signals <-chan os.Signal, stop func()) os.Signal {
	<-signals
	first := time.Now()
	stop()
	for {
		if again := <-signals; time.Since(first) > echo {
			return again
		}
	}
}
