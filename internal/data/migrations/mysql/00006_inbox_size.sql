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

-- No less than what is kept for the user: nothing is taken off when pushes go. It is counted anew when a limit
-- seems to be reached.
SET @add_kept = IF(
  (SELECT count(*) FROM information_schema.columns
    WHERE table_schema = database() AND table_name = 'inbox_heads' AND column_name = 'kept') = 0,
  'ALTER TABLE inbox_heads ADD COLUMN kept bigint NOT NULL DEFAULT 0, ADD COLUMN bytes bigint NOT NULL DEFAULT 0',
  'DO 0');
PREPARE add_kept FROM @add_kept;
EXECUTE add_kept;
DEALLOCATE PREPARE add_kept;

UPDATE inbox_heads SET
  kept = (SELECT count(*) FROM inbox WHERE inbox.user_id = inbox_heads.user_id),
  bytes = (SELECT coalesce(sum(size), 0) FROM inbox WHERE inbox.user_id = inbox_heads.user_id);

-- +goose Down
ALTER TABLE inbox_heads DROP COLUMN bytes, DROP COLUMN kept;
ALTER TABLE inbox DROP INDEX inbox_by_size, DROP COLUMN size;
