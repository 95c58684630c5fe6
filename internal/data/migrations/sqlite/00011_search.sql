-- What messages say, as terms, for a search: whatever has a term is found by its "no" in messages. Texts are not
-- stored here a second time, nor where in them a term is: what is found is compared with the message itself.

-- +goose Up
CREATE VIRTUAL TABLE search USING fts5(terms, content='', contentless_delete=1, detail='none', tokenize='ascii');

-- However a message goes, it is not found any more.
-- +goose StatementBegin
CREATE TRIGGER messages_not_found AFTER DELETE ON messages BEGIN
  DELETE FROM search WHERE rowid = old.no;
END;
-- +goose StatementEnd

-- How far each room is in the index. A room that was deleted and made anew is another one: created_at tells.
CREATE TABLE search_marks (
  room_id     TEXT    NOT NULL PRIMARY KEY,
  created_at  INTEGER NOT NULL, -- of the room
  indexed_seq INTEGER NOT NULL,
  cleared_seq INTEGER NOT NULL  -- up to here nothing is in the index any more
) WITHOUT ROWID;

-- +goose Down
DROP TABLE search_marks;
DROP TRIGGER messages_not_found;
DROP TABLE search;
