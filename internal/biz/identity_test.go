package biz_test

import (
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

func TestActAs(t *testing.T) {
	t.Parallel()
	service := biz.Identity{Roles: []string{biz.RoleService}}
	tests := []struct {
		name   string
		by     biz.Identity
		named  biz.UserID
		want   biz.UserID
		kind   biz.Kind
		reason string
	}{
		{"dev that said nothing names somebody", devEmpty, "alice", "alice", 0, ""},
		{"dev that said nothing names nobody", devEmpty, "", "", biz.KindInvalid, "INVALID_ARGUMENT"},
		{"dev names himself", devAlice, "alice", "alice", 0, ""},
		{"dev names nobody", devAlice, "", "alice", 0, ""},
		{"dev names another", devAlice, "bob", "", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"token names its user", alice, "alice", "alice", 0, ""},
		{"token names nobody", alice, "", "alice", 0, ""},
		{"token names another", alice, "bob", "", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"names differ in case alone", alice, "Alice", "", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"service names another", backend, "alice", "alice", 0, ""},
		{"service names itself", backend, "backend", "backend", 0, ""},
		{"service names nobody", backend, "", "backend", 0, ""},
		{"service without a user names one", service, "alice", "alice", 0, ""},
		{"service without a user names nobody", service, "", "", biz.KindInvalid, "INVALID_ARGUMENT"},
		{"nobody names somebody", nobody, "alice", "", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"nobody names nobody", nobody, "", "", biz.KindInvalid, "INVALID_ARGUMENT"},
		{"a role that only begins alike", biz.Identity{User: "x", Roles: []string{"services"}}, "alice", "", biz.KindPermissionDenied, "FOREIGN_USER"},
		{"service names what no store keeps", backend, "a\x00b", "", biz.KindInvalid, "INVALID_ARGUMENT"},
		{"dev names what no store keeps", devEmpty, "\xff", "", biz.KindInvalid, "INVALID_ARGUMENT"},
		{"service names too long an id", backend, biz.UserID(strings.Repeat("a", biz.MaxIDBytes+1)), "", biz.KindInvalid, "INVALID_ARGUMENT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.by.ActAs(test.named)
			wantError(t, err, test.kind, test.reason)
			if err == nil && got != test.want {
				t.Errorf("acts as %q, want %q", got, test.want)
			}
		})
	}
}

func TestIdentityTravelsInTheContext(t *testing.T) {
	t.Parallel()
	if got := biz.IdentityFrom(biz.WithIdentity(t.Context(), bob)); got.User != "bob" {
		t.Errorf("got %+v", got)
	}
	if got := biz.IdentityFrom(t.Context()); got.User != "" || got.Trusted || got.Roles != nil {
		t.Errorf("an empty context names %+v", got)
	}
}
