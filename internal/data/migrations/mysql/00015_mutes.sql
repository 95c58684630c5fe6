-- Mutes of those who have left their room, or were taken out of it: who comes back is as mute as he was.

-- +goose Up
CREATE TABLE IF NOT EXISTS mutes (
  room_id varbinary(255) NOT NULL,
  user_id varbinary(255) NOT NULL,
  until bigint NOT NULL, -- 0: until he is unmuted
  PRIMARY KEY (room_id, user_id),
  INDEX mutes_by_end (until)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS mutes;
