-- Raised by whatever changes who may say what in the room: nodes that share a database know by it what they
-- remember wrongly.

-- +goose Up
ALTER TABLE rooms ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE rooms DROP COLUMN version;
