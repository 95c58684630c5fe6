-- What is known of recordings beside what was declared, which messages refer to them, and which of them are
-- to be deleted. A recording of before follows_messages is kept as long as its age says: nobody noted who refers to it.

-- +goose Up
ALTER TABLE audios ADD COLUMN measured INTEGER NOT NULL DEFAULT 0; -- 1: duration is what the file has, not what was declared
ALTER TABLE audios ADD COLUMN waveform BLOB;
ALTER TABLE audios ADD COLUMN follows_messages INTEGER NOT NULL DEFAULT 0;

CREATE TABLE audio_refs (
  room_id  TEXT    NOT NULL,
  seq      INTEGER NOT NULL, -- the message that refers to it
  audio_id TEXT    NOT NULL,
  PRIMARY KEY (room_id, seq, audio_id)
) WITHOUT ROWID;
CREATE INDEX audio_refs_by_audio ON audio_refs (audio_id, seq);

-- Recordings without a row, whose bytes are still there.
CREATE TABLE audio_waste (
  id         TEXT    NOT NULL PRIMARY KEY,
  deleted_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What nodes have made for themselves, and share.
CREATE TABLE secrets (
  name       TEXT    NOT NULL PRIMARY KEY,
  value      BLOB    NOT NULL,
  created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE secrets;
DROP TABLE audio_waste;
DROP TABLE audio_refs;
ALTER TABLE audios DROP COLUMN follows_messages;
ALTER TABLE audios DROP COLUMN waveform;
ALTER TABLE audios DROP COLUMN measured;
