package frames

import (
	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/plugin"
)

// FromSessionEvent returns e for the wire.
func FromSessionEvent(e *plugin.SessionEvent) *pluginv1.SessionEvent {
	return &pluginv1.SessionEvent{
		Kind: uint32(e.Kind), SessionId: e.SessionID, UserId: e.UserID, Gid: e.GID, DeviceId: e.DeviceID, Protocol: e.Protocol,
		Transport: e.Transport, Address: e.Address, Code: int32(e.Code), Reason: e.Reason, Time: nanos(e.Time), //nolint:gosec // close codes are small
	}
}

// ToSessionEvent is the inverse of FromSessionEvent.
func ToSessionEvent(e *pluginv1.SessionEvent) plugin.SessionEvent {
	return plugin.SessionEvent{
		Kind: plugin.SessionEventKind(small(e.GetKind())), SessionID: e.GetSessionId(), UserID: e.GetUserId(), GID: e.GetGid(), DeviceID: e.GetDeviceId(),
		Protocol: e.GetProtocol(), Transport: e.GetTransport(), Address: e.GetAddress(), Code: int(e.GetCode()), Reason: e.GetReason(), Time: moment(e.GetTime()),
	}
}

// FromAction returns a for the wire.
func FromAction(a *plugin.Action) *pluginv1.Action {
	return &pluginv1.Action{
		Name: a.Name, SessionId: a.SessionID, UserId: a.UserID, Gid: a.GID, Zone: a.Zone, Params: a.Params, Data: a.Data, Headers: a.Headers,
	}
}

// ToAction is the inverse of FromAction.
func ToAction(a *pluginv1.Action) plugin.Action {
	return plugin.Action{
		Name: a.GetName(), SessionID: a.GetSessionId(), UserID: a.GetUserId(), GID: a.GetGid(), Zone: a.GetZone(),
		Params: a.GetParams(), Data: a.GetData(), Headers: a.GetHeaders(),
	}
}

// FromAnswer returns a for the wire.
func FromAnswer(a *plugin.Answer) *pluginv1.ActionAnswer {
	return &pluginv1.ActionAnswer{Code: a.Code, Message: a.Message, Data: a.Data, Headers: a.Headers}
}

// ToAnswer is the inverse of FromAnswer.
func ToAnswer(a *pluginv1.ActionAnswer) plugin.Answer {
	return plugin.Answer{Code: a.GetCode(), Message: a.GetMessage(), Data: a.GetData(), Headers: a.GetHeaders()}
}

// FromAudio returns a for the wire, without its bytes.
func FromAudio(a *plugin.Audio) *pluginv1.Audio {
	return &pluginv1.Audio{Id: a.ID, RoomId: a.RoomID, UserId: a.UserID, Format: a.Format, Size: a.Size, DurationMs: a.Duration.Milliseconds()}
}
