package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"gorm.io/gorm"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/outbox"
	"github.com/game-im/hermod/sdk/upstream"
)

// What a process of this test's binary needs to be the service instead.
const (
	envDriver  = "OUTBOX_TEST_DRIVER"
	envDSN     = "OUTBOX_TEST_DSN"
	envIM      = "OUTBOX_TEST_IM"
	envGateway = "OUTBOX_TEST_GATEWAY"
	envDrain   = "OUTBOX_TEST_DRAIN" // add nothing, and end when nothing waits
	envCrash   = "OUTBOX_TEST_CRASH" // die of SIGKILL when so many messages have been answered
)

var errRolledBack = errors.New("the order is not to be")

// shop takes orders: each is a row, a message and a push, in one transaction, and each third is rolled back. It prints the
// number of each that has committed.
func shop() int {
	db, err := open(os.Getenv(envDriver), os.Getenv(envDSN))
	if err == nil {
		err = serve(db)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(db *gorm.DB) error {
	conn, err := connect(os.Getenv(envIM))
	if err != nil {
		return err
	}
	pushes := upstream.NewUnicastClient(os.Getenv(envGateway))
	if err := pushes.Connect(); err != nil {
		return err
	}
	box := outbox.New(db)
	relay, err := outbox.NewRelay(box, outbox.Clients{IM: newMortal(imv1.NewIMServiceClient(conn)), Gateway: pushes}, shortLease)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { _ = relay.Run(ctx) }() // returns nil
	if os.Getenv(envDrain) != "" {
		return drain(ctx, box)
	}
	return takeOrders(db, box)
}

// shortLease has what a killed process had in hand taken by another soon.
var shortLease = outbox.Options{CallTimeout: time.Second, Lease: 3 * time.Second, Poll: 50 * time.Millisecond}

func drain(ctx context.Context, box *outbox.Box) error {
	for {
		backlog, err := box.Backlog(ctx)
		if err != nil || backlog.Waiting == 0 {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func takeOrders(db *gorm.DB, box *outbox.Box) error {
	var last int
	if err := db.Raw(`SELECT COALESCE(MAX(n), 0) FROM orders`).Scan(&last).Error; err != nil {
		return err
	}
	for n := last + 1; ; n++ {
		var fail error
		if n%3 == 0 {
			fail = errRolledBack
		}
		name := strconv.Itoa(n)
		err := order(db, box, n, fail, text("shop", "seller", name),
			outbox.Push{To: upstream.OpenID("buyer"), Notification: upstream.Notification{MsgType: "order", Title: name}})
		if err != nil && !errors.Is(err, errRolledBack) {
			return err
		}
		if err == nil {
			fmt.Println(n)
		}
		time.Sleep(5 * time.Millisecond) // the pace of customers
	}
}

// mortal is a client after whose nth answer the process is killed, before it can have noted that.
type mortal struct {
	outbox.Sender
	left atomic.Int64 // 0: it lives on
}

func newMortal(s outbox.Sender) *mortal {
	m := &mortal{Sender: s}
	n, _ := strconv.ParseInt(os.Getenv(envCrash), 10, 64) // none is 0
	m.left.Store(n)
	return m
}

func (m *mortal) SendMessage(ctx context.Context, req *imv1.SendMessageRequest, opts ...grpc.CallOption) (*imv1.SendMessageResponse, error) {
	resp, err := m.Sender.SendMessage(ctx, req, opts...)
	if err == nil && m.left.Add(-1) == 0 {
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return nil, err
		}
		select {} // death comes when it comes
	}
	return resp, err
}
