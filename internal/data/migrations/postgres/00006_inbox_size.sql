-- What is kept for a user is bounded in bytes as well.

-- +goose Up
ALTER TABLE inbox ADD COLUMN size bigint NOT NULL DEFAULT 0; -- of type, title, content, data and metadata

UPDATE inbox SET size = octet_length(msg_type) + octet_length(title) + octet_length(content) + octet_length(data) + coalesce(octet_length(metadata), 0);

-- Has all that the limits are about, so that no push itself is read for them.
CREATE INDEX inbox_by_size ON inbox (user_id, seq, expires_at, size);

-- No less than what is kept for the user: nothing is taken off when pushes go. It is counted anew when a limit
-- seems to be reached.
ALTER TABLE inbox_heads ADD COLUMN kept bigint NOT NULL DEFAULT 0;
ALTER TABLE inbox_heads ADD COLUMN bytes bigint NOT NULL DEFAULT 0;

UPDATE inbox_heads SET
  kept = (SELECT count(*) FROM inbox WHERE inbox.user_id = inbox_heads.user_id),
  bytes = (SELECT coalesce(sum(size), 0) FROM inbox WHERE inbox.user_id = inbox_heads.user_id);

-- +goose Down
ALTER TABLE inbox_heads DROP COLUMN bytes;
ALTER TABLE inbox_heads DROP COLUMN kept;
DROP INDEX inbox_by_size;
ALTER TABLE inbox DROP COLUMN size;
