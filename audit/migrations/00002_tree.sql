-- +goose Up

-- The Merkle tree over the log. Everything here but the checkpoints' signatures can be computed again from hitl.log.

-- Where each entry stands. Entries get their positions some time after their commit, in batches, without gaps.
CREATE TABLE hitl.log_positions (
    position  bigint PRIMARY KEY CHECK (position >= 0),
    log_id    bigint NOT NULL UNIQUE,
    leaf_hash bytea NOT NULL CHECK (length(leaf_hash) = 32)
);

-- Tiles of height 8 (256 hashes of 32 bytes). One row per tile; those at the right edge grow, the others are complete.
CREATE TABLE hitl.log_tiles (
    level integer NOT NULL,
    n     bigint NOT NULL,
    data  bytea NOT NULL CHECK (length(data) BETWEEN 32 AND 8192 AND length(data) % 32 = 0),
    PRIMARY KEY (level, n)
);
ALTER TABLE hitl.log_tiles ALTER COLUMN data SET STORAGE EXTERNAL; -- hashes do not compress

-- One row: the size of the tree, which whoever extends it compares and sets, and the transaction before which every entry has its position.
CREATE TABLE hitl.log_tree (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    size    bigint NOT NULL,
    horizon xid8 NOT NULL
);
INSERT INTO hitl.log_tree (size, horizon) VALUES (0, '0');

-- Signed checkpoints, as notes.
CREATE TABLE hitl.log_checkpoints (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    size bigint NOT NULL,
    note text NOT NULL,
    at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX log_checkpoints_size ON hitl.log_checkpoints (size, id);

-- The sequencer's way to the entries of the transactions that ended since it last looked.
CREATE INDEX log_tx ON hitl.log (tx, id);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.log_positions
    FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
ALTER TABLE hitl.log_positions ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.log_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
ALTER TABLE hitl.log_checkpoints ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON hitl.log_tiles
    FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
ALTER TABLE hitl.log_tiles ENABLE ALWAYS TRIGGER append_only;
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON hitl.log_tree
    FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
ALTER TABLE hitl.log_tree ENABLE ALWAYS TRIGGER append_only;

-- A tile may grow, and no hash in it change.
-- +goose StatementBegin
CREATE FUNCTION hitl.refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.level <> OLD.level OR NEW.n <> OLD.n OR substring(NEW.data FOR length(OLD.data)) <> OLD.data THEN
        RAISE EXCEPTION '%.% only grows: change refused', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER only_grows BEFORE UPDATE ON hitl.log_tiles FOR EACH ROW EXECUTE FUNCTION hitl.refuse_rewrite();
ALTER TABLE hitl.log_tiles ENABLE ALWAYS TRIGGER only_grows;
