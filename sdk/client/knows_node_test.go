package client

import (
	"errors"
	"fmt"
	"testing"
)

// TestTheNodeKnowsTheCalls that this client makes: none of them is too new for the node of the same repository.
func TestTheNodeKnowsTheCalls(t *testing.T) {
	t.Parallel()
	c := come(t, modes(t)["own"], fmt.Sprint("caller ", runs.Add(1)))
	for _, call := range append(theCalls(), theWalks()...) {
		if _, err := call.do(t.Context(), c); errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", call.name, err)
		}
	}
}
