package hermod

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/go-kratos/kratos/v2"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/webhook"
	"github.com/game-im/hermod/plugin"
)

// app is an assembled node.
type app struct {
	Conf    *conf.Config
	Log     *slog.Logger
	Ready   *server.Readiness
	IM      *server.IM
	Gateway *server.Gateway
	HTTP    *server.HTTP
	QUIC    *server.QUIC
	Plugged *server.Plugged
	Ops     *server.Ops

	Registry    *registry.Keeper
	Store       *data.DB
	Watches     *data.Watches
	Leaves      *protocol.Leaves
	Cluster     broker.Cluster
	Node        *node.Node
	Moves       *protocol.Moves
	Messages    *data.MessageLog
	Cursors     *data.Cursors
	Seen        *data.Acquaintances
	Watching    *protocol.Watches
	Witness     *protocol.Witness
	Inbox       *data.Inbox
	Audios      *biz.Audios
	Janitor     *data.Janitor
	Indexer     *data.Indexer // nil: nothing is searched
	Transcripts *biz.Transcripts
	Revisions   *biz.Revisions
	Idle        *biz.IdleRooms
	Services    *biz.Services
	Shared      *protocol.Services
	Finder      *registry.Finder

	Live    *conf.Live
	Tunable *tunable

	Certificates *server.Certificates
	Plugins      *plugins.Host
	Webhooks     *webhook.Team
}

// run serves until ctx ends or the process is told to stop, and stops in this order:
//
//	not ready → deregistered → consumers notice → sessions close, spread over a window, with a code that says
//	come back → uploads are cut → commits and cursors are flushed → servers stop, by force at the deadline
//
// What is being transcribed is put back meanwhile, and no room is ended any more, before the log stops in which rooms are told.
func (a *app) run(ctx context.Context, out io.Writer) error {
	a.Node.ReadFrom(protocol.NewRoomLog(a.Messages, a.Watches))
	defer keepHeapFloor()()
	if err := a.Plugins.Start(plugin.WithDataDir(ctx, a.Conf.GetData().GetDir())); err != nil {
		return err
	}
	defer a.Plugins.Stop() // the log has told them of the last message by then
	var (
		k       *kratos.App
		failed  error
		once    sync.Once
		started = make(chan struct{})
		failure = func(err error) { // of something that runs in the background: the node cannot go on
			once.Do(func() { failed = err })
			a.Log.Error("the node stops because a part of it failed", "error", err)
			<-started
			a.stop(k)
		}
		realtime = background(failure, a.Node.Run, a.Leaves.Run, a.Watching.Run, returnMemory, a.followConfiguration, a.Certificates.Run, a.Services.Run, a.Shared.Run, a.Finder.Run)
		work     = background(failure, a.Transcripts.Run, a.Revisions.Run, a.Idle.Run, a.Witness.Run, a.index, a.Webhooks.Run)
		log      = background(failure, a.Messages.Run)
		marks    = background(failure, a.Cursors.Run, a.Seen.Run, a.Inbox.Run, a.Janitor.Run, a.Audios.Run)
		listed   = background(failure, a.Registry.Run)
		drained  sync.Once
		forced   deadline
	)
	spreadChanges(a.Node, a.Store, a.Watching)
	spreadStored(a.Node, a.Store, a.Webhooks)
	k = kratos.New(
		kratos.Name("hermod"),
		kratos.Version(Version),
		kratos.Server(forced.of(a.IM, a.Gateway, a.HTTP, a.QUIC, a.Plugged, a.Ops)...),
		kratos.StopTimeout(a.stopTimeout()), // if a part fails, and nothing was drained
		kratos.BeforeStart(func(context.Context) error {
			for _, g := range []*group{marks, log, realtime, work} {
				g.start()
			}
			return nil
		}),
		kratos.AfterStart(func(context.Context) error {
			meet(a.Cluster)
			a.Ready.SetServing(true)
			listed.start()
			if err := a.greet(out); err != nil {
				a.Log.Warn("the greeting could not be written", "error", err)
			}
			close(started)
			return nil
		}),
		kratos.BeforeStop(func(ctx context.Context) error {
			drained.Do(func() {
				forced.set(time.Now().Add(a.stopTimeout()))
				work.cancel()
				a.drain(ctx, listed)
				work.stop()
				log.stop()
				marks.stop()
			})
			return nil
		}),
		kratos.AfterStop(func(context.Context) error {
			realtime.stop()
			return nil
		}),
	)
	defer context.AfterFunc(ctx, func() {
		<-started // what is starting cannot be stopped
		a.stop(k)
	})()
	if err := k.Run(); err != nil {
		return err
	}
	return failed
}

// index has messages found, where that is wanted.
func (a *app) index(ctx context.Context) error {
	if a.Indexer == nil {
		return nil
	}
	return a.Indexer.Run(ctx)
}

func (a *app) stop(k *kratos.App) {
	if err := k.Stop(); err != nil {
		a.Log.Error("the node did not stop cleanly", "error", err)
	}
}

// drain takes the node out of service and its sessions off it.
func (a *app) drain(ctx context.Context, listed *group) {
	stop := a.Conf.GetServer().GetStop()
	a.Ready.SetServing(false)
	a.Log.Info("stopping", "notice", stop.GetNotice().AsDuration(), "drain", stop.GetDrain().AsDuration())
	// What it takes is no part of the notice: only then can consumers see it.
	if !listed.stopWithin(conf.RegistryLeave) {
		a.Log.Warn("the registry holds the node up, which stops without it")
	}
	if notice := stop.GetNotice().AsDuration(); notice > 0 {
		time.Sleep(notice)
	}
	a.Tunable.Pushes.Stop() // whom a broadcast was still to reach is about to go
	a.Node.Drain(ctx, stop.GetDrain().AsDuration())
	// An upload had as long as the sessions had.
	ctx, cancel := context.WithTimeout(ctx, cutTimeout)
	defer cancel()
	if err := a.Audios.Stop(ctx); err != nil {
		a.Log.Warn("an upload does not end", "error", err)
	}
}

// cutTimeout is how long an upload that was cut may take to clean up behind itself.
const cutTimeout = time.Second

// stopTimeout is how long a stop takes at most, from the signal on.
func (a *app) stopTimeout() time.Duration {
	return a.Conf.GetServer().GetStop().GetTimeout().AsDuration()
}

// group is goroutines that are started and stopped together.
type group struct {
	failed func(error)
	runs   []func(context.Context) error
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func background(failed func(error), runs ...func(context.Context) error) *group {
	return &group{failed: failed, runs: runs}
}

func (g *group) start() {
	ctx, cancel := context.WithCancel(context.Background())
	g.cancel = cancel
	for _, run := range g.runs {
		g.wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				go g.failed(fmt.Errorf("background: %w", err)) // stopping waits for this goroutine
			}
		})
	}
}

func (g *group) stop() {
	g.cancel()
	g.wg.Wait()
}

// stopWithin is stop for what may hang in the hands of others. It returns false when it did not wait for
// the end.
func (g *group) stopWithin(bound time.Duration) bool {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.stop()
	}()
	select {
	case <-ended:
		return true
	case <-time.After(bound):
		return false
	}
}
