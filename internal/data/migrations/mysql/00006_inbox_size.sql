-- What is kept for a user is bounded in bytes as well.

-- +goose Up
-- A migration that was broken off here is run again: there is no IF NOT EXISTS for columns. The column is the
-- size of type, title, content, data and metadata; the index has all that the limits are about, so that no push
-- itself is read for them.
SET @add_size = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'inbox' AND column_name = 'size') = 0,
  'ALTER TABLE inbox ADD COLUMN size bigint NOT NULL DEFAULT 0, ADD INDEX inbox_by_size (user_id, seq, expires_at, size)',
  'DO 0');
PREPARE add_size FROM @add_size;
EXECUTE add_size;
DEALLOCATE PREPARE add_size;

UPDATE inbox SET size = length(msg_type) + length(title) + length(content) + length(data) + coalesce(length(metadata), 0);

-- +goose Down
ALTER TABLE inbox DROP INDEX inbox_by_size, DROP COLUMN size;
