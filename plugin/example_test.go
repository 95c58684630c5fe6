package plugin_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/game-im/hermod/plugin"
)

// tickets lets in whoever shows a ticket that was handed out.
type tickets map[string]string

func (tickets) Name() string { return "tickets" }

func (t tickets) Authenticate(_ context.Context, c plugin.Credentials) (plugin.Identity, error) {
	user, ok := t[c.Token]
	switch {
	case !ok:
		return plugin.Identity{}, plugin.Unauthenticated("the ticket is not known")
	case c.UserID != "" && c.UserID != user:
		return plugin.Identity{}, plugin.PermissionDenied("the ticket is not %s's", c.UserID)
	}
	return plugin.Identity{UserID: user}, nil
}

func ExampleAuthenticator() {
	var a plugin.Authenticator = tickets{"K7": "alice"}
	id, err := a.Authenticate(context.Background(), plugin.Credentials{Token: "K7"})
	fmt.Println(id.UserID, err)
	_, err = a.Authenticate(context.Background(), plugin.Credentials{Token: "K7", UserID: "bob"})
	var refused *plugin.Error
	fmt.Println(errors.As(err, &refused), refused.Kind == plugin.KindPermissionDenied, err)
	// Output:
	// alice <nil>
	// true true the ticket is not bob's
}

func ExampleUnavailable() {
	cause := errors.New("dial tcp: connection refused")
	err := plugin.Unavailable("the directory does not answer", cause)
	fmt.Println(err, errors.Is(err, cause))
	// Output: the directory does not answer: dial tcp: connection refused true
}
