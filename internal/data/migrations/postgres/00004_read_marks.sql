-- How far a member has read: it comes and goes with his membership. The index is the order in which
-- somebody's rooms are gone through, a part at a time.

-- +goose Up
ALTER TABLE members ADD COLUMN read_seq bigint NOT NULL DEFAULT 0;
ALTER TABLE members SET (fillfactor = 80); -- marks rise: room for the new version beside the old one
CREATE INDEX members_by_user_room ON members (user_id, room_id);

-- +goose Down
DROP INDEX members_by_user_room;
ALTER TABLE members RESET (fillfactor);
ALTER TABLE members DROP COLUMN read_seq;
