-- Mutes of those who have left their room, or were taken out of it: who comes back is as mute as he was.

-- +goose Up
CREATE TABLE mutes (
  room_id TEXT    NOT NULL,
  user_id TEXT    NOT NULL,
  until   INTEGER NOT NULL, -- 0: until he is unmuted
  PRIMARY KEY (room_id, user_id)
) WITHOUT ROWID;
CREATE INDEX mutes_by_end ON mutes (until);

-- +goose Down
DROP TABLE mutes;
