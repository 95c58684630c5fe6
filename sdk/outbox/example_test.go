package outbox_test

import (
	"context"
	"log"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"gorm.io/gorm"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/outbox"
	"github.com/game-im/hermod/sdk/upstream"
)

// A service delivers what its transactions say, from when it starts until it stops.
func Example() {
	serve := func(ctx context.Context, db *gorm.DB) error {
		conn, err := grpc.NewClient("127.0.0.1:8083", grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		pushes := upstream.NewUnicastClient("127.0.0.1:8082")
		if err := pushes.Connect(); err != nil {
			return err
		}
		defer func() { _ = pushes.Close() }()

		box := outbox.New(db)
		if err := box.Migrate(ctx); err != nil {
			return err
		}
		relay, err := outbox.NewRelay(box, outbox.Clients{IM: imv1.NewIMServiceClient(conn), Gateway: pushes}, outbox.Options{})
		if err != nil {
			return err
		}
		return relay.Run(ctx)
	}
	_ = serve
}

// What is added is delivered if the transaction commits.
func ExampleBox_Add() {
	sell := func(db *gorm.DB, box *outbox.Box, order int64) error {
		return db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec(`UPDATE orders SET sold = 1 WHERE n = ?`, order).Error; err != nil {
				return err
			}
			return box.Add(tx, outbox.Message{UserID: "shop", RoomID: "sales", Content: []byte("one more")})
		})
	}
	_ = sell
}

// Somebody looks at what was refused, and has it tried again.
func ExampleBox_Retry() {
	again := func(ctx context.Context, box *outbox.Box) error {
		for after := int64(0); ; {
			page, err := box.Parked(ctx, after, 100)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, p := range page {
				log.Print(p.ID, " was refused: ", p.Reason, ": ", p.Detail)
				after = p.Row
				if p.Reason != "NOT_A_MEMBER" {
					continue
				}
				if _, err := box.Retry(ctx, p.Row); err != nil {
					return err
				}
			}
		}
	}
	_ = again
}
