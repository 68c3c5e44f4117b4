-- +goose NO TRANSACTION
-- +goose Up
-- Each statement is a transaction and can be repeated: the last one may take a while, in which nobody should wait for the table.

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
UPDATE hitl.reviews r SET source = i.source FROM hitl.items i WHERE i.id = r.item_id AND r.state = 'open' AND r.source = '';
