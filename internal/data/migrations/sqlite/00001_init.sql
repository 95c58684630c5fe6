-- Text compares byte by byte (BINARY is SQLite's default collation). Times are microseconds since
-- 1970 UTC. The "no" columns are SQLite's rowid under a name: they give each table an insertion
-- order that new rows append to, which touches fewer pages for each commit than a clustered key.

-- +goose Up
CREATE TABLE rooms (
  id              TEXT    NOT NULL PRIMARY KEY,
  name            TEXT    NOT NULL,
  description     TEXT    NOT NULL,
  max_users       INTEGER NOT NULL,
  persistent      INTEGER NOT NULL,
  message_ttl     INTEGER NOT NULL, -- microseconds
  idle_timeout    INTEGER NOT NULL, -- microseconds
  allow_audio     INTEGER NOT NULL,
  allow_rich_text INTEGER NOT NULL,
  auto_transcribe INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  last_active     INTEGER NOT NULL,
  head_seq        INTEGER NOT NULL,
  floor_seq       INTEGER NOT NULL,
  members         INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE members (
  no        INTEGER PRIMARY KEY,
  room_id   TEXT    NOT NULL,
  user_id   TEXT    NOT NULL,
  nickname  TEXT    NOT NULL,
  role      INTEGER NOT NULL,
  muted     INTEGER NOT NULL,
  join_seq  INTEGER NOT NULL,
  joined_at INTEGER NOT NULL,
  UNIQUE (room_id, user_id)
);
CREATE INDEX members_by_room ON members (room_id, no);
CREATE INDEX members_by_user ON members (user_id, no);

CREATE TABLE messages (
  no           INTEGER PRIMARY KEY,
  room_id      TEXT    NOT NULL,
  seq          INTEGER NOT NULL,
  id           TEXT    NOT NULL,
  sender       TEXT    NOT NULL,
  client_id    TEXT    NOT NULL,
  type         INTEGER NOT NULL,
  content      BLOB    NOT NULL,
  metadata     TEXT, -- a JSON object of strings; NULL when there is none
  ack_required INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  UNIQUE (room_id, seq)
);

CREATE TABLE idempotency (
  no           INTEGER PRIMARY KEY, -- ascends with created_at: purging reads from the low end
  room_id      TEXT    NOT NULL,
  sender       TEXT    NOT NULL,
  client_id    TEXT    NOT NULL,
  payload_hash BLOB    NOT NULL,
  seq          INTEGER NOT NULL,
  message_id   TEXT    NOT NULL,
  created_at   INTEGER NOT NULL,
  UNIQUE (client_id, sender, room_id) -- in this order ids that rise with time touch few pages
);

CREATE TABLE cursors (
  no         INTEGER PRIMARY KEY,
  user_id    TEXT    NOT NULL,
  room_id    TEXT    NOT NULL,
  device_id  TEXT    NOT NULL,
  delivered  INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (user_id, room_id, device_id)
);

CREATE TABLE inbox (
  no         INTEGER PRIMARY KEY,
  user_id    TEXT    NOT NULL,
  seq        INTEGER NOT NULL,
  id         TEXT    NOT NULL,
  msg_type   TEXT    NOT NULL,
  title      TEXT    NOT NULL,
  content    TEXT    NOT NULL,
  data       BLOB    NOT NULL,
  metadata   TEXT,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (user_id, seq)
);
CREATE INDEX inbox_by_expiry ON inbox (expires_at);

-- The last seq ever given out in a user's inbox. It outlives the inbox's rows, so that no seq is
-- used twice.
CREATE TABLE inbox_heads (
  user_id  TEXT    NOT NULL PRIMARY KEY,
  last_seq INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE inbox_heads;
DROP TABLE inbox;
DROP TABLE cursors;
DROP TABLE idempotency;
DROP TABLE messages;
DROP TABLE members;
DROP TABLE rooms;
