-- +goose Up

-- The texts that a model is reading now, one row per worker: written before the network sees them, overwritten by the next batch, deleted when
-- the worker is idle. A row whose worker is silent is a process that died on them. The texts themselves are not here, only their hashes with the
-- model's version.
--
-- UNLOGGED, since a lost row costs no more than one death more: Postgres empties the table when it crashes, and a standby that is promoted
-- finds it empty. Commits that change nothing else wait for no disk, whatever synchronous_commit says.
--
-- A busy row changes with every batch and no index does, so that old versions are pruned within its page, where they have room. Vacuum gives no
-- pages back, which would lock the table.
CREATE UNLOGGED TABLE hitl.attempts (
    worker  bytea PRIMARY KEY CHECK (length(worker) = 16),
    run     bigint NOT NULL, -- counts up, so that what is written late spares what came after
    keys    bytea[] NOT NULL,
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, vacuum_truncate = false);
ALTER TABLE hitl.attempts ALTER COLUMN keys SET STORAGE EXTERNAL; -- hashes do not compress
