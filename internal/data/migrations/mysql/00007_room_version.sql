-- Raised by whatever changes who may say what in the room: nodes that share a database know by it what they
-- remember wrongly. The column is made only where it was not before: a change of the schema commits at once
-- here, also when the migration then fails.

-- +goose Up
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'rooms' AND column_name = 'version') = 0,
  'ALTER TABLE rooms ADD COLUMN version bigint NOT NULL DEFAULT 0',
  'DO 0');
PREPARE change_rooms FROM @change;
EXECUTE change_rooms;
DEALLOCATE PREPARE change_rooms;

-- +goose Down
SET @change = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'rooms' AND column_name = 'version') = 1,
  'ALTER TABLE rooms DROP COLUMN version',
  'DO 0');
PREPARE change_rooms FROM @change;
EXECUTE change_rooms;
DEALLOCATE PREPARE change_rooms;
