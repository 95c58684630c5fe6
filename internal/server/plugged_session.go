package server

import (
	"context"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/pluginconn"
	"github.com/game-im/hermod/plugin"
)

// pluggedFormats are the wire formats that plugins can carry.
var pluggedFormats = map[plugin.Protocol]map[plugin.Encoding]*frame.Format{
	plugin.IM:      {plugin.Protobuf: im.Proto, plugin.JSON: im.JSON},
	plugin.Gateway: {plugin.Protobuf: gateway.Proto, plugin.JSON: gateway.JSON},
}

// frameLimit is the most bytes of a frame where its format is not known yet. JSON needs a third more for
// content, and more for what it escapes.
func frameLimit(c *conf.Config) int {
	return int(2*(c.GetMessage().GetMaxContentBytes()+c.GetMessage().GetMaxMetadataBytes()) + frameOverhead)
}

// session opens a session on a connection and serves it until it ends.
func (p *Plugged) session(conn *pluginconn.Conn) error {
	o, err := p.opening(conn)
	if err != nil {
		return err
	}
	format := pluggedFormats[o.Protocol][o.Encoding]
	if format == nil {
		p.log.Error("a plugin brings connections that speak nothing known", "plugin", conn.Peer().Transport, "protocol", o.Protocol, "encoding", o.Encoding)
		return transport.InternalError
	}
	conn.Speak(format, p.message)
	if o.Protocol == plugin.IM {
		return p.serveIM(conn, format, o.Header)
	}
	return p.serveGateway(conn, format, o.Header)
}

// opening has the plugin say what it knows of the client, within the time that there is.
func (p *Plugged) opening(conn *pluginconn.Conn) (plugin.Opening, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.streams.startTimeout())
	defer cancel()
	o, err := conn.Open(ctx)
	if err == nil {
		return o, nil
	}
	var refused *plugin.Error
	switch {
	case p.ctx.Err() != nil:
		return o, transport.Shutdown
	case ctx.Err() != nil:
		return o, transport.NotStarted
	case errors.As(err, &refused):
		return o, transport.BadRequest.Because("%s", refused.Reason)
	}
	if told, ok := errors.AsType[transport.Disconnect](err); ok {
		return o, told
	}
	return o, transport.BadRequest
}

// serveIM serves a session of im.v1. Without a header its first frame says what there would be in one.
func (p *Plugged) serveIM(conn *pluginconn.Conn, format *frame.Format, header map[string]string) error {
	get := func(key string) string { return header[key] }
	if header == nil {
		timeout := time.AfterFunc(p.streams.startTimeout(), func() { conn.Close(transport.NotStarted) })
		data, err := conn.Read()
		timeout.Stop()
		if err != nil {
			return err
		}
		if get, err = im.ReadHello(format, data); err != nil {
			return err
		}
	}
	id, err := p.identify(p.ctx, get)
	if err != nil {
		return err
	}
	opening, err := im.ReadOpening(id, get)
	if err != nil {
		return err
	}
	opening.Format, opening.Greeting, opening.Batch = format, true, false
	return p.streams.IM.Serve(p.ctx, conn, opening, func(im.Welcome) error { return nil })
}

// serveGateway serves a session of the gateway protocol, which may leave it to its START to say who is
// there.
func (p *Plugged) serveGateway(conn *pluginconn.Conn, format *frame.Format, header map[string]string) error {
	var id biz.Identity
	if header[keyAuthorization] != "" || header[keyUser] != "" {
		var err error
		if id, err = p.identify(p.ctx, func(key string) string { return header[key] }); err != nil {
			return err
		}
	}
	return p.streams.Gateway.Serve(p.ctx, conn, gateway.Opening{
		Identity: id, Format: format, Transport: conn.Peer().Transport, Remote: conn.Peer().Remote,
	})
}
