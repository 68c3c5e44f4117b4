-- +goose Up

-- When a queue goes on, the due times of its reviews move by the time that was lost, step by step: up to which review that is done. The row is there
-- until all are, and nothing is due until then.
ALTER TABLE hitl.pauses
    ADD COLUMN resumed_at timestamptz,
    ADD COLUMN moved_to   text COLLATE "C" NOT NULL DEFAULT '';

-- When a review came into its queue, where that was after it was opened: it has lost no time there before.
ALTER TABLE hitl.reviews ADD COLUMN entered_at timestamptz;
