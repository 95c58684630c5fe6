-- Identifiers are bytes, which compare byte by byte and are not padded; text is utf8mb4. Times are
-- microseconds since 1970 UTC. The "no" columns give a table an insertion order. InnoDB keeps rows in the
-- order of their primary key, so that a page of a room is read in one piece. A table that is there is
-- left alone: a change of the schema commits at once here, also when the migration then fails.

-- +goose Up
CREATE TABLE IF NOT EXISTS rooms (
  id varbinary(255) NOT NULL PRIMARY KEY,
  name mediumtext NOT NULL,
  description mediumtext NOT NULL,
  max_users bigint NOT NULL,
  persistent boolean NOT NULL,
  message_ttl bigint NOT NULL, -- microseconds
  idle_timeout bigint NOT NULL, -- microseconds
  allow_audio boolean NOT NULL,
  allow_rich_text boolean NOT NULL,
  auto_transcribe boolean NOT NULL,
  created_at bigint NOT NULL,
  last_active bigint NOT NULL,
  head_seq bigint NOT NULL,
  floor_seq bigint NOT NULL,
  members bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS members (
  no bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  room_id varbinary(255) NOT NULL,
  user_id varbinary(255) NOT NULL,
  nickname mediumtext NOT NULL,
  role smallint NOT NULL,
  muted boolean NOT NULL,
  join_seq bigint NOT NULL,
  joined_at bigint NOT NULL,
  UNIQUE (room_id, user_id),
  INDEX members_by_room (room_id, no),
  INDEX members_by_user (user_id, no)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS messages (
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  id varbinary(255) NOT NULL,
  sender varbinary(255) NOT NULL,
  client_id varbinary(255) NOT NULL,
  type integer NOT NULL,
  content longblob NOT NULL,
  metadata mediumtext, -- a JSON object of strings; NULL when there is none
  ack_required boolean NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (room_id, seq)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS idempotency (
  no bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, -- ascends with created_at: purging reads from the low end
  room_id varbinary(255) NOT NULL,
  sender varbinary(255) NOT NULL,
  client_id varbinary(255) NOT NULL,
  payload_hash varbinary(64) NOT NULL,
  seq bigint NOT NULL,
  message_id varbinary(255) NOT NULL,
  created_at bigint NOT NULL,
  UNIQUE (client_id, sender, room_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS cursors (
  no bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id varbinary(255) NOT NULL,
  room_id varbinary(255) NOT NULL,
  device_id varbinary(255) NOT NULL,
  delivered bigint NOT NULL,
  updated_at bigint NOT NULL,
  UNIQUE (user_id, room_id, device_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS inbox (
  no bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  user_id varbinary(255) NOT NULL,
  seq bigint NOT NULL,
  id varbinary(255) NOT NULL,
  msg_type mediumtext NOT NULL,
  title mediumtext NOT NULL,
  content mediumtext NOT NULL,
  data longblob NOT NULL,
  metadata mediumtext,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  UNIQUE (user_id, seq),
  INDEX inbox_by_expiry (expires_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- The last seq ever given out in a user's inbox. It outlives the inbox's rows, so that no seq is
-- used twice.
CREATE TABLE IF NOT EXISTS inbox_heads (
  user_id varbinary(255) NOT NULL PRIMARY KEY,
  last_seq bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS inbox_heads;
DROP TABLE IF EXISTS inbox;
DROP TABLE IF EXISTS cursors;
DROP TABLE IF EXISTS idempotency;
DROP TABLE IF EXISTS messages;
DROP TABLE IF EXISTS members;
DROP TABLE IF EXISTS rooms;
