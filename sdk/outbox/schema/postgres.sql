CREATE TABLE IF NOT EXISTS hermod_outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane VARCHAR(32) NOT NULL,
    kind SMALLINT NOT NULL,
    item_id VARCHAR(200) NOT NULL,
    payload BYTEA NOT NULL,
    size INTEGER NOT NULL,
    added_at BIGINT NOT NULL,
    ready_at BIGINT NOT NULL DEFAULT 0,
    tried_at BIGINT NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 0,
    parked_at BIGINT NOT NULL DEFAULT 0,
    reason VARCHAR(64) NOT NULL DEFAULT '',
    detail VARCHAR(1000) NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS hermod_outbox_heads ON hermod_outbox (parked_at, kind, lane, id);
CREATE INDEX IF NOT EXISTS hermod_outbox_lane ON hermod_outbox (lane, parked_at, id);
