-- +goose Up

-- Texts that a model is reading now, one row per text and worker: written before the network sees them, deleted when it has come back. A row
-- whose worker is silent is a process that died on the text. The text itself is not here, only its hash with the model's version.
--
-- UNLOGGED, since a lost row costs no more than one death more: Postgres empties the table when it crashes, and a standby that is promoted
-- finds it empty. Commits that change nothing else wait for no disk, whatever synchronous_commit says.
--
-- The rows live for milliseconds: vacuum comes by number of dead rows and not by share, and gives no pages back, which would lock the table.
CREATE UNLOGGED TABLE hitl.attempts (
    key     bytea NOT NULL CHECK (length(key) = 32),
    worker  bytea NOT NULL CHECK (length(worker) = 16),
    run     bigint NOT NULL, -- counts up per worker, so that a late delete spares a later attempt
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (key, worker)
) WITH (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000, vacuum_truncate = false
);
