-- +goose Up

-- Texts whose right label is known. From time to time a copy of one becomes an item, which hitl.gold names; masters themselves are never shown.
CREATE TABLE hitl.gold_masters (
    id        text COLLATE "C" PRIMARY KEY,
    queue     text COLLATE "C" NOT NULL,
    label     text NOT NULL,
    text      text NOT NULL,
    metadata  json NOT NULL,
    subject   text COLLATE "C" NOT NULL DEFAULT '', -- copies have it, so that erasing a subject reaches them
    from_item text COLLATE "C" NOT NULL DEFAULT '', -- whose text it is; '': it was written down
    added_by  text NOT NULL,
    added_at  timestamptz NOT NULL DEFAULT now(),
    drawn_at  timestamptz -- last
);
CREATE INDEX gold_masters_queue ON hitl.gold_masters (queue, drawn_at);
CREATE INDEX gold_masters_from ON hitl.gold_masters (from_item) WHERE from_item <> '';

ALTER TABLE hitl.gold
    ADD COLUMN master    text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN from_item text COLLATE "C" NOT NULL DEFAULT '', -- the master's, which may be gone
    ADD COLUMN shown_as  text COLLATE "C" NOT NULL DEFAULT ''; -- the external id that people see; the item's own must not take one of the source's
CREATE INDEX gold_from ON hitl.gold (from_item) WHERE from_item <> '';

-- Whoever erases an item erases the masters that were made from it.
-- +goose StatementBegin
CREATE FUNCTION hitl.erase_masters() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM hitl.gold_masters m WHERE m.from_item = NEW.id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER erase_masters AFTER UPDATE OF erased_at ON hitl.items FOR EACH ROW WHEN (NEW.erased_at IS NOT NULL)
    EXECUTE FUNCTION hitl.erase_masters();
