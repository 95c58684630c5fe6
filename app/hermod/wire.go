//go:build wireinject

package hermod

import (
	"context"
	"log/slog"

	"github.com/google/wire"

	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/gateway/imactions"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/recording"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/internal/upstream"
	"github.com/game-im/hermod/internal/webhook"
)

// One set for each layer, from the store outwards.
var (
	dataSet = wire.NewSet(
		openStore,
		data.NewRooms, wire.Bind(new(biz.RoomRepo), new(*data.Rooms)),
		data.NewMembers, wire.Bind(new(biz.MemberRepo), new(*data.Members)),
		logOptions, data.NewMessageLog, wire.Bind(new(biz.MessageLog), new(*data.MessageLog)),
		data.NewRoomBook, wire.Bind(new(biz.RoomBook), new(*data.RoomBook)),
		data.NewHistory, wire.Bind(new(biz.HistoryRepo), new(*data.History)),
		data.NewRevisions, wire.Bind(new(biz.RevisionRepo), new(*data.Revisions)),
		data.NewCursors, wire.Bind(new(biz.CursorRepo), new(*data.Cursors)),
		data.NewInbox, noticed,
		data.NewPushKeys, wire.Bind(new(biz.PushKeys), new(*data.PushKeys)),
		data.NewAudios, wire.Bind(new(biz.AudioRepo), new(*data.Audios)),
		wire.Bind(new(biz.AudioUpkeep), new(*data.Audios)), data.NewSecrets, newURLKey,
		wire.FieldsOf(new(*doors), "Blobs"), data.NewBlobs, wire.Bind(new(biz.Blobs), new(*data.Blobs)),
		wire.Struct(new(recording.Inspector)), wire.Bind(new(biz.AudioInspector), new(recording.Inspector)),
		wire.Struct(new(biz.AudioStores), "*"),
		data.NewTranscripts, wire.Bind(new(biz.TranscriptRepo), new(*data.Transcripts)), wire.Bind(new(biz.TranscriptQueue), new(*data.Transcripts)),
		newJanitor,
		newIndexer, data.NewSearch, wire.Bind(new(biz.SearchRepo), new(*data.Search)),
		data.NewWatermarks, wire.Bind(new(biz.WatermarkRepo), new(*data.Watermarks)),
		data.NewAcquaintances, wire.Bind(new(biz.AcquaintanceRepo), new(*data.Acquaintances)), wire.Bind(new(protocol.Seen), new(*data.Acquaintances)),
		data.NewWebhooks, wire.Bind(new(biz.WebhookBook), new(*data.Webhooks)), webhook.NewMetrics, newWebhooks, newWebhookDesk,
		data.NewWatches, wire.Bind(new(biz.WatchRepo), new(*data.Watches)),
	)
	realtimeSet = wire.NewSet(
		sessionConfig, newCore, wire.FieldsOf(new(*session.Core), "Load"),
		newPresence,
		newBroker,
		node.New,
	)
	protocolSet = wire.NewSet(
		protocol.NewDeliverer, protocol.NewLeaves,
		observed,
		wire.Bind(new(biz.Presence), new(*protocol.Deliverer)),
		wire.Bind(new(biz.Teller), new(*protocol.Deliverer)), wire.Bind(new(biz.Whereabouts), new(*protocol.Deliverer)),
		protocol.NewWatches, newWitness,
		protocol.NewPusher, wire.Bind(new(biz.PushSessions), new(*protocol.Pusher)),
		protocol.NewServices,
		protocol.NewDirectory, wire.Bind(new(biz.SessionIndex), new(*protocol.Directory)),
		wire.Struct(new(im.Rules), "*"),
		imConfig, im.NewHandler,
		wire.Struct(new(imactions.Rules), "*"), imactions.New, wire.Bind(new(gateway.Actions), new(*imactions.Actions)),
		gatewayConfig, gateway.NewHandler,
		newMoves,
		wire.Struct(new(server.Streams), "*"),
		eventEncoder, transcriptEncoder,
	)
	bizSet = wire.NewSet(
		roomRules, authorized, biz.NewAuthorizedRooms, biz.NewRoomAdmin, biz.NewIdleRooms,
		messageRules, intercepted, biz.NewInterceptedMessages, biz.NewRevisions,
		biz.NewBacklog, biz.NewHistory, biz.NewWatch,
		searchRules, biz.NewSearch, wire.Value(imcall.Reader{}), wire.Bind(new(biz.MessageReader), new(imcall.Reader)),
		ephemeralRules, biz.NewEphemerals, watermarkRules, biz.NewWatermarks, presenceRules, biz.NewPresences,
		pushRules, biz.NewAuthorizedPushes, biz.NewSessions,
		wire.Bind(new(biz.Waker), new(*biz.Transcripts)),
		audioRules, biz.NewAudios,
		wire.FieldsOf(new(*doors), "Transcriber"),
		wire.Struct(new(biz.TranscriptStores), "*"), transcriptRules, biz.NewTranscripts,
	)
	upstreamSet = wire.NewSet(
		newCaller, wire.Bind(new(biz.UpstreamCaller), new(*upstream.Caller)),
		service.NewUpstreamMetrics, wire.Bind(new(biz.UpstreamMeter), new(*service.UpstreamMetrics)),
		newServices, answering, newFinder,
	)
	authSet = wire.NewSet(
		wire.FieldsOf(new(*doors), "Authenticator"), auth.NewVerifier, wire.Bind(new(im.Refresher), new(*auth.Verifier)), wire.Bind(new(gateway.Authenticator), new(*auth.Verifier)),
		auth.NewServiceGuard, around,
		wire.Struct(new(server.Callers), "*"),
	)
	serverSet = wire.NewSet(
		wire.Struct(new(service.Live), "*"), wire.Struct(new(service.IMRules), "*"), service.NewIM, service.NewRooms, wire.Struct(new(server.IMAPI), "*"),
		service.NewGateway, service.NewGatewayMetrics, service.NewSessions, service.NewWebhooks, wire.Struct(new(server.PushAPI), "*"),
		service.NewUploads, service.NewAudioMetrics, wire.Bind(new(service.AudioURLs), new(*server.Public)), wire.Bind(new(imactions.AudioURLs), new(*server.Public)),
		service.NewTranscriptMetrics, wire.Bind(new(biz.TranscriptMeter), new(*service.TranscriptMetrics)),
		newReadiness, wire.Bind(new(service.Readiness), new(*server.Readiness)),
		server.NewMetrics, newMetricsRegistry, server.NewCertificates, server.NewIM, server.NewGateway, server.NewPublic, server.NewHTTP, server.NewQUIC, carriers, server.NewPlugged, newNotes,
		server.NewREST, wire.Struct(new(server.Monitors), "*"), wire.Struct(new(server.OpsPages), "*"), server.NewOps,
	)
	pluginSet   = wire.NewSet(wire.FieldsOf(new(*conf.Config), "Plugins"), wire.FieldsOf(new(*doors), "Linked", "Outside"), plugins.NewMetrics, newHost)
	registrySet = wire.NewSet(wire.Struct(new(registry.Status)), registry.NewMetrics, wire.Struct(new(listing), "*"), newKeeper)
)

// assemble makes a node that has its listeners open and does not serve yet.
func assemble(ctx context.Context, c *conf.Config, live *conf.Live, d *doors, log *slog.Logger, level *slog.LevelVar) (*app, func(), error) {
	panic(wire.Build(
		wire.FieldsOf(new(*conf.Config), "Auth"), // what auth needs of the configuration
		dataSet, realtimeSet, protocolSet, bizSet, upstreamSet, authSet, serverSet, registrySet, pluginSet,
		wire.Struct(new(tunable), "*"), wire.Struct(new(meters), "*"),
		wire.Struct(new(app), "*"),
	))
}
