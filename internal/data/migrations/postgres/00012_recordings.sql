-- What is known of recordings beside what was declared, which messages refer to them, and which of them are
-- to be deleted. A recording of before follows_messages is kept as long as its age says: nobody noted who refers to it.

-- +goose Up
ALTER TABLE audios
  ADD COLUMN measured         boolean NOT NULL DEFAULT false, -- duration is what the file has, not what was declared
  ADD COLUMN waveform         bytea,
  ADD COLUMN follows_messages boolean NOT NULL DEFAULT false;

CREATE TABLE audio_refs (
  room_id  text COLLATE "C" NOT NULL,
  seq      bigint NOT NULL, -- the message that refers to it
  audio_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (room_id, seq, audio_id)
);
CREATE INDEX audio_refs_by_audio ON audio_refs (audio_id, seq);

-- Recordings without a row, whose bytes are still there.
CREATE TABLE audio_waste (
  id         text COLLATE "C" NOT NULL PRIMARY KEY,
  deleted_at bigint NOT NULL
);

-- What nodes have made for themselves, and share.
CREATE TABLE secrets (
  name       text COLLATE "C" NOT NULL PRIMARY KEY,
  value      bytea  NOT NULL,
  created_at bigint NOT NULL
);

-- +goose Down
DROP TABLE secrets;
DROP TABLE audio_waste;
DROP TABLE audio_refs;
ALTER TABLE audios DROP COLUMN follows_messages, DROP COLUMN waveform, DROP COLUMN measured;
