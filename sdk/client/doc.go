// Package client is the Go client of the IM service.
//
// A Client is one user's session: it opens a stream, receives what the user's rooms say, sends,
// and comes back by itself when the connection is lost. What was received but not handled then
// arrives again, sends that had no answer yet are repeated under the same message_id, which the
// server stores once, and rooms joined through the client are joined again.
//
// # Whose connection
//
// NewClient makes a client that owns its connections: it finds an instance of the service
// (Config.Discovery, Config.Services, Client.SetServices, or a LoadBalancer that was Updated),
// dials it, by Config.TLS if that is set, and closes it again. After a loss it chooses anew, and
// another instance than the one that failed if there is one.
//
// NewClientWithGRPC and NewClientWithGRPCAndConfig make a client that is lent a connection, in the
// form of an IMServiceClient, which any number of clients may share. It is never closed. When the
// stream breaks the client opens another one there; finding and mending the connection is left to
// its owner. All else is the same, callbacks, IsConnected and errors included.
//
// # Lifecycle
//
//	              Connect                    connection lost
//	not connected ───────▶ connected ─────────────────────────▶ reconnecting
//	      ▲                 │     ▲    OnError, OnDisconnect      │      │
//	      │    Disconnect,  │     └─────────────────────────────┘      │
//	      │    final close  │        OnConnect                          │
//	      └─────────────────┴───────────────────────────────────────────┘
//	                 Disconnect, or MaxRetries used up: OnError(ErrGaveUp)
//
// Connect tries once and says why it failed. A connection that is lost later is tried again, after
// Config.Backoff, or later where the server has advised it (RetryAfter), as often as Config.MaxRetries says; not when the server asked the client not to
// come back (DisconnectError.Final), refused it for good, or its only token is not valid. Each
// OnConnect is followed by one OnDisconnect with the cause. Connect may be called again after
// Disconnect, and after the client has given up. Without a connection calls return ErrNotConnected
// at once, while sends wait for the next one.
//
// # Concurrency
//
// All methods of a Client may be called from any goroutine, also from its callbacks. Callbacks
// run one after another, never two at once and never under a lock. A slow OnMessage delays the
// next callbacks and, when much is waiting, makes the client stop reading; it never delays
// heartbeats or the answers to sends. Config.Validate is called as OnMessage is, and for what History, Past and
// Sync return by whoever calls them, then also while OnMessage runs; TokenSource and
// Backoff are called by whoever needs them, also several at once.
//
// A connected Client owns one goroutine that reads, and a second one while callbacks are due;
// gRPC keeps one for each stream. Those of the client are gone when Disconnect has returned.
// Thousands of clients in one process are no trouble: each takes some 23 KiB over a connection that
// is lent, which TestFootprint measures. Clients that follow the same service of the same Discovery share one
// goroutine for that, which ends with the last of them.
//
// # Moving
//
// A Client with a Discovery follows the instances of its service. It leaves one that is gone or
// unhealthy for another, and with a discovery.StickyBalancer it goes where it belongs when that has
// changed: with a ConsistentHashBalancer exactly the users move whose node has become another one. It
// opens the new connection, ends the old one when what was sent over it is answered, and repeats on
// the new one what has no answer; calls that are under way go on. OnDisconnect gets ErrMoved, then
// OnConnect is called; OnError is not. Config.MoveWithin says how soon, and whether at all.
//
// Clients do not leave a node when nobody knows of a better one: not when the list is empty, as that of
// a registry that has lost everything, and not before another node has taken them.
//
// # Delivery
//
// A message is acknowledged to the server after OnMessage returned, so a program that dies before
// that gets it again. Within one Client no durable message is handed to OnMessage twice, and the
// messages of a room arrive in their order. Messages of rooms that are not persistent have no
// sequence number; they are told apart only as long as the session can be resumed. Pushes are in no
// room: the last 256 are known again by their message_id. What Config.Validate refuses counts as
// handled.
//
// # Looking back
//
// History and Past read a room's log, forward or backward from any message; Sync brings a program that
// keeps messages itself up to date in all rooms of the user, and goes on with the same cursors after
// whatever failure. They stand beside OnMessage: they acknowledge nothing, and what they return arrives
// there as well if it has not been handled yet. MarkRead keeps how far the user has read, for all his
// devices, and Unread counts the rest. Servers that know none of this answer ErrUnsupported.
//
// # Rooms as they are now
//
// What is done in a room, such as an edit, a reaction or a kick, arrives as a SYSTEM message with a place
// of its own; EventOf reads it. A Timeline takes in messages and events in any order and holds what the
// room is then. What nobody keeps comes to OnEphemeral and OnPresence, from servers that know of it. Calls
// about rooms and members over somebody else's connection need Config.RoomService.
//
// # Sending
//
// Send returns what became of the message: its id and place in the room, or a *RefusedError with
// the server's reason, which Reason extracts from any error of this package. SendMessage and
// SendTextMessage are the same for those who want no more than an error. SendBatch sends many,
// without waiting for each and below the server's limit.
//
// Methods without a context are bounded by Config.RequestTimeout, and so are those with one that
// has no deadline. Uploads have no limit in all, but must get on within it.
package client
