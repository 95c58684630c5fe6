-- When each user was last there: written when he goes and, while he is there, now and then.

-- +goose Up
CREATE TABLE last_seen (
  user_id TEXT    NOT NULL PRIMARY KEY,
  seen_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE last_seen;
