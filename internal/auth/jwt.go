package auth

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// maxTokenBytes is above what issuers make and what gRPC lets through in its headers.
const maxTokenBytes = 16 << 10

var algorithms = []string{conf.HS256, conf.RS256, conf.ES256, conf.EdDSA}

// JWT believes signed tokens. A key verifies the one algorithm it is for; a token must have exp,
// and the configured iss and aud.
//
// What a caller claims must be what the token says: another user, gid or device is
// PermissionDenied; a device may be claimed freely when the token names none. A token with the role
// service is different: its holder acts for the user, gid and device that he claims, and while he
// claims no user, the identity has none.
type JWT struct {
	parser *jwt.Parser
	issuer string
	aud    string
	ring   keyring
	claims *conf.Auth_Claims
}

// NewJWT reads the keys. A remote key set is fetched when the first token needs it. Without any key
// every token is refused.
func NewJWT(c *conf.Auth_JWT, log *slog.Logger) (*JWT, error) {
	ring, err := newKeyring(c, log)
	if err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(c.GetLeeway().AsDuration()),
		jwt.WithJSONNumber(), // a gid does not fit a float64
	}
	if c.GetIssuer() != "" {
		options = append(options, jwt.WithIssuer(c.GetIssuer()))
	}
	if c.GetAudience() != "" {
		options = append(options, jwt.WithAudience(c.GetAudience()))
	}
	return &JWT{
		parser: jwt.NewParser(options...),
		issuer: c.GetIssuer(), aud: c.GetAudience(),
		ring: ring, claims: c.GetClaims(),
	}, nil
}

// Close ends the fetching of a remote key set, and waits for it.
func (j *JWT) Close() { j.ring.close() }

// Authenticate verifies the token and holds the claimed identity against it. It waits for the
// network only when no key is known that the token could be signed with.
func (j *JWT) Authenticate(ctx context.Context, c plugin.Credentials) (plugin.Identity, error) {
	switch {
	case c.Token == "":
		return plugin.Identity{}, plugin.Unauthenticated("a token is required: authorization: Bearer TOKEN")
	case len(c.Token) > maxTokenBytes:
		return plugin.Identity{}, plugin.Unauthenticated("the token has %d bytes; at most %d are read", len(c.Token), maxTokenBytes)
	}
	claims := jwt.MapClaims{}
	_, err := j.parser.ParseWithClaims(c.Token, claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string) // absent: every key of the algorithm is tried
		return j.ring.find(ctx, kid, t.Method.Alg())
	})
	if err != nil {
		return plugin.Identity{}, j.refusal(err)
	}
	h, err := readHolder(claims, j.claims)
	if err != nil {
		return plugin.Identity{}, err
	}
	return h.identity(c)
}

// refusal says what is wrong in words that are ours, since the library's may quote the token.
func (j *JWT) refusal(err error) error {
	var known *plugin.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, jwt.ErrTokenMalformed):
		return plugin.Unauthenticated("the token is not a JSON Web Token")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return plugin.Unauthenticated("the token's signature is not valid, or not made with one of %s", strings.Join(algorithms, ", "))
	case errors.Is(err, jwt.ErrTokenExpired):
		return plugin.Unauthenticated("the token has expired")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return plugin.Unauthenticated("the token is not valid yet")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return plugin.Unauthenticated("the token lacks a claim that is required here: %s", j.required())
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return plugin.Unauthenticated("the token is for another audience; its aud must have %q", j.aud)
	case errors.Is(err, jwt.ErrTokenInvalidIssuer):
		return plugin.Unauthenticated("the token has another issuer; its iss must be %q", j.issuer)
	}
	return plugin.Unauthenticated("the token cannot be verified")
}

func (j *JWT) required() string {
	names := "exp"
	if j.issuer != "" {
		names += ", iss"
	}
	if j.aud != "" {
		names += ", aud"
	}
	return names
}
