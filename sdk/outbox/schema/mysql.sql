CREATE TABLE IF NOT EXISTS hermod_outbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    lane VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    kind SMALLINT NOT NULL,
    item_id VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    payload LONGBLOB NOT NULL,
    size INTEGER NOT NULL,
    added_at BIGINT NOT NULL,
    ready_at BIGINT NOT NULL DEFAULT 0,
    tried_at BIGINT NOT NULL DEFAULT 0,
    tries INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    round INTEGER NOT NULL DEFAULT 0,
    parked_at BIGINT NOT NULL DEFAULT 0,
    reason VARCHAR(64) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
    detail VARCHAR(1000) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',
    KEY hermod_outbox_heads (parked_at, kind, lane, id),
    KEY hermod_outbox_lane (lane, parked_at, id)
) ENGINE=InnoDB;
