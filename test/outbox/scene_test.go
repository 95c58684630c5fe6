package outbox

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/outbox"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/databases"
	"github.com/game-im/hermod/test/process"
)

// dialectors open a database of a service as GORM's own drivers do.
var dialectors = map[string]func(string) gorm.Dialector{"sqlite": sqlite.Open, "mysql": mysql.Open, "postgres": postgres.Open}

// onEach runs a test on a database of each kind.
func onEach(t *testing.T, test func(t *testing.T, s *scene)) {
	t.Helper()
	for driver := range dialectors {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			test(t, newScene(t, driver))
		})
	}
}

// database returns a fresh one of a kind.
func database(t testing.TB, driver string) (dsn string) {
	t.Helper()
	if driver == "sqlite" {
		file := filepath.Join(t.TempDir(), "shop.db")
		return file + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_txlock=immediate"
	}
	return databases.Start[driver](t).Create()
}

// scene is a node, and a service with a database.
type scene struct {
	t           testing.TB
	driver, dsn string
	db          *gorm.DB
	box         *outbox.Box
	node        *process.Node
	conn        *grpc.ClientConn
	im          imv1.IMServiceClient
	pushes      *upstream.UnicastClient
}

func newScene(t testing.TB, driver string) *scene {
	t.Helper()
	s := &scene{t: t, driver: driver, dsn: database(t, driver), node: process.Prepare(t, "")}
	s.node.Boot()
	var err error
	if s.db, err = open(driver, s.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := s.db.DB(); err != nil || pool.Close() != nil {
			t.Error("the database is not closed", err)
		}
	})
	s.box = outbox.New(s.db)
	for range 2 { // the second time there is nothing to do
		if err := s.box.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.db.Exec(`CREATE TABLE orders (n BIGINT PRIMARY KEY)`).Error; err != nil {
		t.Fatal(err)
	}
	s.conn, s.pushes = dial(t, s.node.IM), upstream.NewUnicastClient(s.node.Gateway)
	s.im = imv1.NewIMServiceClient(s.conn)
	if err := s.pushes.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.pushes.Close() })
	return s
}

func open(driver, dsn string) (*gorm.DB, error) {
	return gorm.Open(dialectors[driver](dsn), &gorm.Config{Logger: logger.Discard})
}

// dial returns a connection that comes back fast when the node does.
func dial(t testing.TB, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := connect(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func connect(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.2, MaxDelay: 100 * time.Millisecond},
		MinConnectTimeout: 5 * time.Second,
	}))
}

// relay runs a relay until the test ends or stop is called.
func (s *scene) relay(opts outbox.Options) (r *outbox.Relay, stop func()) {
	s.t.Helper()
	r, err := outbox.NewRelay(s.box, outbox.Clients{IM: s.im, Gateway: s.pushes}, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stopped := false
	stop = func() {
		s.t.Helper()
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(stop)
	return r, stop
}

// commit adds items in a transaction with an order.
func (s *scene) commit(n int, items ...outbox.Item) {
	s.t.Helper()
	if err := order(s.db, s.box, n, nil, items...); err != nil {
		s.t.Fatal(err)
	}
}

// order is a transaction of the service. It fails, when all is written, with the error that it is given.
func order(db *gorm.DB, box *outbox.Box, n int, fail error, items ...outbox.Item) error {
	return db.Transaction(func(tx *gorm.DB) error {
		if err := tx.Exec(`INSERT INTO orders (n) VALUES (?)`, n).Error; err != nil {
			return err
		}
		if err := box.Add(tx, items...); err != nil {
			return err
		}
		return fail
	})
}

// join makes users members of a room.
func (s *scene) join(room string, users ...string) {
	s.t.Helper()
	for _, user := range users {
		if _, err := s.im.JoinRoom(s.t.Context(), &imv1.JoinRoomRequest{RoomId: room, UserId: user}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// said is what a room's log has from a user, in its order.
func (s *scene) said(room, user string) (texts []string) {
	s.t.Helper()
	for after := int64(0); ; {
		page, err := s.im.History(s.t.Context(), &imv1.HistoryRequest{RoomId: room, UserId: user, AfterSeq: &after, Limit: 100}, grpc.WaitForReady(true))
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range page.GetMessages() {
			after = m.GetSeq()
			if m.GetFromUserId() == user && m.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
				texts = append(texts, string(m.GetContent()))
			}
		}
		if !page.GetMore() {
			return texts
		}
	}
}

// await waits until a room's log is what is wanted, from one user.
func (s *scene) await(room, user string, want ...string) {
	s.t.Helper()
	var got []string
	process.Eventually(s.t, 2*process.Patience, "the log is complete", func() bool {
		got = s.said(room, user)
		return len(got) >= len(want)
	})
	if !slices.Equal(got, want) {
		s.t.Fatalf("the log of %s has %q; want %q", room, got, want)
	}
}

// kept is how many pushes wait for a user.
func (s *scene) kept(user string) int {
	s.t.Helper()
	conn := dial(s.t, s.node.Gateway)
	info, err := gatewayv1.NewGatewayServiceClient(conn).GetInbox(s.t.Context(), &gatewayv1.GetInboxRequest{Openid: user})
	if err != nil {
		s.t.Fatal(err)
	}
	return int(info.GetPushes())
}

// empty waits until nothing waits any more.
func (s *scene) empty() {
	s.t.Helper()
	process.Eventually(s.t, 2*process.Patience, "the box is empty", func() bool {
		backlog, err := s.box.Backlog(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		return backlog.Waiting == 0
	})
}

func text(room, user, content string) outbox.Message {
	return outbox.Message{RoomID: room, UserID: user, Content: []byte(content)}
}
