// Package data is the store: the repositories that biz asks for, on a relational database through
// GORM, which no other package sees. What runs for every message or every session that opens are
// prepared statements on the same connections; columns are named once, beside the rows.
//
// # Concurrency
//
// Everything exported is safe for concurrent use. One connection writes and a pool of others
// reads. Whoever writes holds the writer for a whole transaction, so all writes have one order,
// and caches are brought up to date in that order, before the writer is let go.
//
// Nobody commits alone under load. MessageLog commits whatever was appended while its last commit
// ran; joins, leaves and kept pushes that wait at the same time share a transaction in the same
// way; cursors and inbox acknowledgements gather in memory and are written about twice a second.
//
// # Lifecycle
//
// Open gives a DB. MessageLog, Cursors, Inbox and Janitor each have a Run(ctx) that owns their
// goroutines, ends when ctx does, and finishes what is pending before it returns. To stop:
//
//  1. cancel MessageLog.Run and wait for it: what is queued is committed, delivered and answered;
//  2. cancel the Run of Cursors, Inbox and Janitor and wait: the last marks are written. They come
//     after the log because its last deliveries may still move cursors;
//  3. Close the DB.
//
// # Errors
//
// Every error of a repository is a *biz.Error, or wraps the context error that ended a call. What is wrong with
// the database as a whole is KindUnavailable with reason STORE_UNAVAILABLE.
package data
