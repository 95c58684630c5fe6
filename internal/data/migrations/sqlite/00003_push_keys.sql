-- Requests of business services that were made under an idempotency key.

-- +goose Up
CREATE TABLE push_keys (
  no           INTEGER PRIMARY KEY, -- ascends with created_at: purging reads from the low end
  caller       TEXT    NOT NULL,
  key          TEXT    NOT NULL,
  request_hash BLOB    NOT NULL,
  push_id      TEXT    NOT NULL,
  answer       TEXT, -- JSON; NULL while the push is being made, and for ever if the node stopped there
  created_at   INTEGER NOT NULL,
  UNIQUE (caller, key)
);

-- +goose Down
DROP TABLE push_keys;
