-- Uploads and their transcripts. The bytes are blobs named by id.

-- +goose Up
CREATE TABLE audios (
  id         TEXT    NOT NULL PRIMARY KEY,
  room_id    TEXT    NOT NULL,
  user_id    TEXT    NOT NULL,
  format     TEXT    NOT NULL,
  size       INTEGER NOT NULL, -- bytes
  duration   INTEGER NOT NULL, -- microseconds
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE transcripts (
  audio_id    TEXT    NOT NULL PRIMARY KEY,
  status      INTEGER NOT NULL,
  text        TEXT    NOT NULL,
  confidence  REAL    NOT NULL,
  reason      TEXT    NOT NULL,
  attempts    INTEGER NOT NULL,
  due_at      INTEGER, -- when it may be claimed next; NULL once it has ended and its room was told
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX transcripts_by_due ON transcripts (due_at) WHERE due_at IS NOT NULL;

-- +goose Down
DROP TABLE transcripts;
DROP TABLE audios;
