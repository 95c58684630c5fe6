-- What is known of recordings beside what was declared, which messages refer to them, and which of them are
-- to be deleted. A recording of before follows_messages is kept as long as its age says: nobody noted who refers to it.
-- Columns and tables are made only where they were not before: a change of the schema commits at once here.

-- +goose Up
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'audios' AND column_name = 'follows_messages') = 0,
  'ALTER TABLE audios ADD COLUMN measured boolean NOT NULL DEFAULT false, ADD COLUMN waveform blob, ADD COLUMN follows_messages boolean NOT NULL DEFAULT false',
  'DO 0');
PREPARE change_audios FROM @change;
EXECUTE change_audios;
DEALLOCATE PREPARE change_audios;

CREATE TABLE IF NOT EXISTS audio_refs (
  room_id varbinary(255) NOT NULL,
  seq bigint NOT NULL, -- the message that refers to it
  audio_id varbinary(255) NOT NULL,
  PRIMARY KEY (room_id, seq, audio_id),
  INDEX audio_refs_by_audio (audio_id, seq)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Recordings without a row, whose bytes are still there.
CREATE TABLE IF NOT EXISTS audio_waste (
  id varbinary(255) NOT NULL PRIMARY KEY,
  deleted_at bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What nodes have made for themselves, and share.
CREATE TABLE IF NOT EXISTS secrets (
  name varbinary(255) NOT NULL PRIMARY KEY,
  value blob NOT NULL,
  created_at bigint NOT NULL
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- +goose Down
DROP TABLE IF EXISTS secrets;
DROP TABLE IF EXISTS audio_waste;
DROP TABLE IF EXISTS audio_refs;
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'audios' AND column_name = 'follows_messages') = 1,
  'ALTER TABLE audios DROP COLUMN follows_messages, DROP COLUMN waveform, DROP COLUMN measured',
  'DO 0');
PREPARE change_audios FROM @change;
EXECUTE change_audios;
DEALLOCATE PREPARE change_audios;
