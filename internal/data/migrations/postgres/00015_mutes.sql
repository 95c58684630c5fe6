-- Mutes of those who have left their room, or were taken out of it: who comes back is as mute as he was.

-- +goose Up
CREATE TABLE mutes (
  room_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  until bigint NOT NULL, -- 0: until he is unmuted
  PRIMARY KEY (room_id, user_id)
);
CREATE INDEX mutes_by_end ON mutes (until);

-- +goose Down
DROP TABLE mutes;
