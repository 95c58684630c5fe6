-- When each user was last there: written when he goes and, while he is there, now and then.

-- +goose Up
CREATE TABLE last_seen (
  user_id text COLLATE "C" NOT NULL PRIMARY KEY,
  seen_at bigint NOT NULL
) WITH (fillfactor = 80);

-- +goose Down
DROP TABLE last_seen;
