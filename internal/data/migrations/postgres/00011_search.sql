-- What messages say, as terms, for a search: texts are not stored here a second time, nor where in them a term
-- is. What is found is compared with the message itself.

-- +goose Up
CREATE TABLE search_docs (
  room_id    text COLLATE "C" NOT NULL,
  seq        bigint   NOT NULL,
  created_at bigint   NOT NULL,
  terms      tsvector NOT NULL,
  PRIMARY KEY (room_id, seq)
);
-- New entries wait in a list that every search reads through: a short one.
CREATE INDEX search_docs_terms ON search_docs USING gin (terms) WITH (gin_pending_list_limit = 512);

-- How far each room is in the index. A room that was deleted and made anew is another one: created_at tells.
CREATE TABLE search_marks (
  room_id     text COLLATE "C" NOT NULL PRIMARY KEY,
  created_at  bigint NOT NULL, -- of the room
  indexed_seq bigint NOT NULL,
  cleared_seq bigint NOT NULL  -- up to here nothing is in the index any more
) WITH (fillfactor = 70);

-- +goose Down
DROP TABLE search_marks;
DROP TABLE search_docs;
