-- When each user was last there: written when he goes and, while he is there, now and then.

-- +goose Up
CREATE TABLE IF NOT EXISTS last_seen (
  user_id varbinary(255) NOT NULL PRIMARY KEY,
  seen_at bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS last_seen;
