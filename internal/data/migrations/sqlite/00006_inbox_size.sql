-- What is kept for a user is bounded in bytes as well.

-- +goose Up
ALTER TABLE inbox ADD COLUMN size INTEGER NOT NULL DEFAULT 0; -- of type, title, content, data and metadata

UPDATE inbox SET size = length(CAST(msg_type AS BLOB)) + length(CAST(title AS BLOB)) + length(CAST(content AS BLOB)) + length(CAST(data AS BLOB)) + coalesce(length(CAST(metadata AS BLOB)), 0);

-- Has all that the limits are about, so that no push itself is read for them.
CREATE INDEX inbox_by_size ON inbox (user_id, seq, expires_at, size);

-- +goose Down
DROP INDEX inbox_by_size;
ALTER TABLE inbox DROP COLUMN size;
