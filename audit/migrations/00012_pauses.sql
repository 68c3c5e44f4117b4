-- +goose Up

-- When a queue goes on, the due times of its reviews move by the time that was lost, step by step: up to which review that is done. The row is there
-- until all are, and nothing is due until then.
ALTER TABLE hitl.pauses
    ADD COLUMN resumed_at timestamptz,
    ADD COLUMN moved_to   text COLLATE "C" NOT NULL DEFAULT '';
