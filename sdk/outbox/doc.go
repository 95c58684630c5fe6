// Package outbox lets a service say something to Hermod in the transaction that its own data changes in: what
// commits is delivered, once in effect, and what is rolled back was never said.
//
//	box := outbox.New(db)                       // *gorm.DB: MySQL, MariaDB, PostgreSQL or SQLite
//	err := box.Migrate(ctx)                     // or Schema in migrations of your own
//	relay, err := outbox.NewRelay(box, outbox.Clients{IM: stub, Gateway: pushes}, outbox.Options{})
//	go relay.Run(ctx)                           // in every instance of the service
//
//	err = db.Transaction(func(tx *gorm.DB) error {
//		if err := tx.Create(&order).Error; err != nil {
//			return err
//		}
//		return box.Add(tx,
//			outbox.Message{UserID: "shop", RoomID: order.Room, Content: []byte("sold")},
//			outbox.Push{To: upstream.OpenID(order.Buyer), Notification: upstream.Notification{MsgType: "order"}})
//	})
//
// Add writes a row of the table hermod_outbox. A Relay, which lives in the service and has its connection to the
// database, calls Hermod with what has committed, and deletes the row when it has an answer. Hermod is told
// nothing of the database.
//
// # What is promised
//
//   - Nothing of a transaction that was rolled back is delivered, and everything of one that was committed is,
//     whatever crashes, or is parked with the reason.
//   - A call is made again until it is answered, always under the same id, by which Hermod knows it for 24
//     hours: a message is stored once, and a push takes effect once. Rooms with persistent: false remember nothing,
//     and may be told twice.
//   - Messages of one room are sent in their order, and so are pushes to one target: that of Add within a
//     transaction, and of two transactions where one began to add after the other had committed. Those that
//     overlap come in either order. A message to a user goes by the pair of users, which is another order than that
//     of their room's id. What is parked is passed.
//   - What Hermod refuses for good is parked: Parked lists it, Retry has it tried again, Discard deletes it.
//   - An answer is an end for a push, also one that says that nobody is there: see Stats.Missed.
//
// # Concurrency
//
// All methods may be called from any goroutine, but a *gorm.DB of a transaction belongs to one, as ever. Any
// number of relays may work on one table, in one process or in many: what one has in hand is leased. If a lease
// runs out, because a process was killed or was stopped for a while, or clocks differ by more than it, calls are
// made twice and have effect once. SQLite has one process.
package outbox
