-- +goose Up

-- The calibration that made the confidence of the scores; '': none.
ALTER TABLE hitl.items ADD COLUMN calibration text NOT NULL DEFAULT '';

-- Changes of how far the model is trusted: computed from what people decided, and in force once somebody who may has accepted them. What is in force
-- for a name is what was accepted last. The log has an entry of each that was accepted or declined.
CREATE TABLE hitl.proposals (
    id         text COLLATE "C" PRIMARY KEY,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('thresholds', 'calibration', 'model')),
    name       text COLLATE "C" NOT NULL, -- the policy's (thresholds) or the classifier's
    body       json NOT NULL, -- what it changes to; json, not jsonb: kept to the byte, since the log holds its hash
    evidence   json NOT NULL, -- what it was concluded from, for people
    state      text COLLATE "C" NOT NULL CHECK (state IN ('open', 'accepted', 'declined', 'replaced')),
    made_at    timestamptz NOT NULL,
    made_by    text NOT NULL,
    queue      text COLLATE "C" NOT NULL DEFAULT '', -- whose owners are asked; '': nobody in Slack
    decided_at timestamptz,
    decided_by text NOT NULL DEFAULT '',
    number     bigint -- of those of its kind and name that were accepted, in order
);
-- One proposal of a kind and name is open at a time: the latest. One is in force: that with the highest number.
CREATE UNIQUE INDEX proposals_open ON hitl.proposals (kind, name) WHERE state = 'open';
CREATE UNIQUE INDEX proposals_force ON hitl.proposals (kind, name, number) WHERE number IS NOT NULL;
