CREATE TABLE IF NOT EXISTS hermod_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    lane TEXT NOT NULL,
    kind INTEGER NOT NULL,
    item_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    size INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL DEFAULT 0,
    tried_at INTEGER NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 0,
    parked_at INTEGER NOT NULL DEFAULT 0,
    reason TEXT NOT NULL DEFAULT '',
    detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS hermod_outbox_heads ON hermod_outbox (parked_at, kind, lane, id);
CREATE INDEX IF NOT EXISTS hermod_outbox_lane ON hermod_outbox (lane, parked_at, id);
