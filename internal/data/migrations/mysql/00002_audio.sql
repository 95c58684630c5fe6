-- Uploads and their transcripts. The bytes are blobs named by id.

-- +goose Up
CREATE TABLE IF NOT EXISTS audios (
  id varbinary(255) NOT NULL PRIMARY KEY,
  room_id varbinary(255) NOT NULL,
  user_id varbinary(255) NOT NULL,
  format mediumtext NOT NULL,
  size bigint NOT NULL, -- bytes
  duration bigint NOT NULL, -- microseconds
  created_at bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS transcripts (
  audio_id varbinary(255) NOT NULL PRIMARY KEY,
  status smallint NOT NULL,
  text mediumtext NOT NULL,
  confidence double NOT NULL,
  reason mediumtext NOT NULL,
  attempts bigint NOT NULL,
  due_at bigint, -- when it may be claimed next; NULL once it has ended and its room was told
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  INDEX transcripts_by_due (due_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS transcripts;
DROP TABLE IF EXISTS audios;
