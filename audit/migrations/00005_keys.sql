-- +goose NO TRANSACTION
-- +goose Up
-- Everything here can be repeated, should it be cut off.

-- API keys. The owner makes and revokes them; the service may only read them, so that who takes it over cannot make himself a key.
CREATE TABLE IF NOT EXISTS hitl.api_keys (
    id         text COLLATE "C" PRIMARY KEY,
    hash       bytea NOT NULL UNIQUE CHECK (length(hash) = 32), -- SHA-256 of the key, which is kept nowhere
    source     text COLLATE "C" NOT NULL, -- '': every source
    rights     text[] NOT NULL CHECK (cardinality(rights) > 0 AND rights <@ ARRAY['submit', 'read', 'admin']),
    note       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL DEFAULT session_user,
    expires_at timestamptz,
    revoked_at timestamptz,
    CHECK (CASE WHEN 'admin' = ANY (rights) THEN source = '' AND rights = ARRAY['admin'] ELSE source <> '' END)
);

-- The source stands with its reviews, so that counting the open ones of each touches no item. Binaries before this migration leave it empty:
-- their reviews count to no source.
ALTER TABLE hitl.reviews ADD COLUMN IF NOT EXISTS source text COLLATE "C" NOT NULL DEFAULT '';

-- In steps that commit, so that nobody who decides a review waits for more than one of them.
-- +goose StatementBegin
DO $$
DECLARE
    first text COLLATE "C" := '';
    last  text COLLATE "C";
BEGIN
    LOOP
        SELECT max(id) INTO last FROM (SELECT id FROM hitl.reviews WHERE id > first ORDER BY id LIMIT 1000) step;
        EXIT WHEN last IS NULL;
        UPDATE hitl.reviews r SET source = i.source FROM hitl.items i
        WHERE i.id = r.item_id AND r.id > first AND r.id <= last AND r.state = 'open' AND r.source = '';
        COMMIT;
        first := last;
    END LOOP;
END
$$;
-- +goose StatementEnd
