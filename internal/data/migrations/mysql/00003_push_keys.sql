-- Requests of business services that were made under an idempotency key.

-- +goose Up
CREATE TABLE IF NOT EXISTS push_keys (
  no bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, -- ascends with created_at: purging reads from the low end
  caller varbinary(255) NOT NULL,
  "key" varbinary(255) NOT NULL,
  request_hash varbinary(64) NOT NULL,
  push_id varbinary(255) NOT NULL,
  answer mediumtext, -- JSON; NULL while the push is being made, and for ever if the node stopped there
  created_at bigint NOT NULL,
  UNIQUE (caller, "key")
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS push_keys;
