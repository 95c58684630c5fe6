package auth

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// holder is what a verified token says of the one who holds it.
type holder struct {
	user, device string
	gid          int64
	roles        []string
	expiry       time.Time
}

func readHolder(claims jwt.MapClaims, names *conf.Auth_Claims) (h holder, err error) {
	if h.user, err = textClaim(claims, names.GetUser()); err != nil {
		return h, err
	}
	if h.device, err = textClaim(claims, names.GetDevice()); err != nil {
		return h, err
	}
	gid, err := textClaim(claims, names.GetGid())
	if err != nil {
		return h, err
	}
	if h.gid, err = strconv.ParseInt(gid, 10, 64); err != nil && gid != "" {
		return h, plugin.Unauthenticated("the token's claim %q must be a whole number", names.GetGid())
	}
	if h.roles, err = wordsClaim(claims, names.GetRoles()); err != nil {
		return h, err
	}
	exp, err := claims.GetExpirationTime()
	if err != nil || exp == nil {
		return h, plugin.Unauthenticated("the token's claim exp must be a time in seconds")
	}
	h.expiry = exp.Time
	if h.user == "" && !h.service() {
		return h, plugin.Unauthenticated("the token lacks the claim %q, which says who the holder is", names.GetUser())
	}
	return h, nil
}

func (h holder) service() bool { return slices.Contains(h.roles, biz.RoleService) }

// identity holds what is claimed against what the token says.
func (h holder) identity(c plugin.Credentials) (plugin.Identity, error) {
	gid, err := parseGID(c.GID)
	if err != nil {
		return plugin.Identity{}, err
	}
	if h.service() {
		return plugin.Identity{UserID: c.UserID, GID: gid, DeviceID: c.DeviceID, Roles: h.roles, Subject: h.user, Expiry: h.expiry}, nil
	}
	switch {
	case c.UserID != "" && c.UserID != h.user:
		return plugin.Identity{}, plugin.PermissionDenied("user-id is not the token's user")
	case c.GID != "" && gid != h.gid:
		return plugin.Identity{}, plugin.PermissionDenied("gid is not the token's gid")
	case c.DeviceID != "" && h.device != "" && c.DeviceID != h.device:
		return plugin.Identity{}, plugin.PermissionDenied("device-id is not the token's device")
	case h.device == "":
		h.device = c.DeviceID
	}
	return plugin.Identity{UserID: h.user, GID: h.gid, DeviceID: h.device, Roles: h.roles, Expiry: h.expiry}, nil
}

// textClaim reads a text or a whole number. A claim without name, or that is absent, is empty.
func textClaim(claims jwt.MapClaims, name string) (string, error) {
	v, ok := claims[name]
	if name == "" || !ok || v == nil {
		return "", nil
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return v.String(), nil
		}
	}
	return "", plugin.Unauthenticated("the token's claim %q must be a text or a whole number", name)
}

// wordsClaim reads a list of texts, or one text of words with spaces between them.
func wordsClaim(claims jwt.MapClaims, name string) ([]string, error) {
	v, ok := claims[name]
	if name == "" || !ok || v == nil {
		return nil, nil
	}
	switch v := v.(type) {
	case string:
		return strings.Fields(v), nil
	case []any:
		words := make([]string, 0, len(v))
		for _, item := range v {
			if w, ok := item.(string); ok {
				words = append(words, w)
			}
		}
		if len(words) == len(v) {
			return words, nil
		}
	}
	return nil, plugin.Unauthenticated("the token's claim %q must be a list of texts", name)
}
