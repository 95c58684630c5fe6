package frames

import (
	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/plugin"
)

// FromCredentials returns c for the wire.
func FromCredentials(c *plugin.Credentials) *pluginv1.Credentials {
	return &pluginv1.Credentials{Token: c.Token, UserId: c.UserID, Gid: c.GID, DeviceId: c.DeviceID}
}

// ToCredentials is the inverse of FromCredentials.
func ToCredentials(c *pluginv1.Credentials) plugin.Credentials {
	return plugin.Credentials{Token: c.GetToken(), UserID: c.GetUserId(), GID: c.GetGid(), DeviceID: c.GetDeviceId()}
}

// FromIdentity returns i for the wire.
func FromIdentity(i *plugin.Identity) *pluginv1.Identity {
	return &pluginv1.Identity{
		UserId: i.UserID, Gid: i.GID, DeviceId: i.DeviceID, Roles: i.Roles, Subject: i.Subject, Trusted: i.Trusted, Expiry: nanos(i.Expiry),
	}
}

// ToIdentity is the inverse of FromIdentity.
func ToIdentity(i *pluginv1.Identity) plugin.Identity {
	return plugin.Identity{
		UserID: i.GetUserId(), GID: i.GetGid(), DeviceID: i.GetDeviceId(), Roles: i.GetRoles(), Subject: i.GetSubject(),
		Trusted: i.GetTrusted(), Expiry: moment(i.GetExpiry()),
	}
}

// FromAccess returns a for the wire.
func FromAccess(a *plugin.Access) *pluginv1.Access {
	to := &pluginv1.Access{
		Kind: uint32(a.Kind), By: a.By, Subject: a.Subject, Roles: a.Roles, RoomId: a.RoomID, UserId: a.UserID, Role: a.Role,
	}
	if a.Target != (plugin.Target{}) {
		to.Target = &pluginv1.Target{Kind: uint32(a.Target.Kind), Id: a.Target.ID}
	}
	return to
}

// ToAccess is the inverse of FromAccess.
func ToAccess(a *pluginv1.Access) plugin.Access {
	return plugin.Access{
		Kind: plugin.AccessKind(small(a.GetKind())), By: a.GetBy(), Subject: a.GetSubject(), Roles: a.GetRoles(),
		RoomID: a.GetRoomId(), UserID: a.GetUserId(), Role: a.GetRole(),
		Target: plugin.Target{Kind: plugin.TargetKind(small(a.GetTarget().GetKind())), ID: a.GetTarget().GetId()},
	}
}

// FromRefusal returns r for the wire.
func FromRefusal(r *plugin.Refusal) *pluginv1.Refusal {
	return &pluginv1.Refusal{
		Plugin: r.Plugin, Access: FromAccess(&r.Access), Message: FromMessage(&r.Message), Reason: r.Reason, Time: nanos(r.Time),
	}
}

// ToRefusal is the inverse of FromRefusal.
func ToRefusal(r *pluginv1.Refusal) plugin.Refusal {
	return plugin.Refusal{
		Plugin: r.GetPlugin(), Access: ToAccess(r.GetAccess()), Message: ToMessage(r.GetMessage()), Reason: r.GetReason(), Time: moment(r.GetTime()),
	}
}
