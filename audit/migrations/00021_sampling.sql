-- +goose Up

-- Proposals of kind 'sample': the share of sure items of a policy that people see too, changed as the configuration allows.
ALTER TABLE hitl.proposals
    DROP CONSTRAINT proposals_kind_check,
    ADD CONSTRAINT proposals_kind_check CHECK (kind IN ('thresholds', 'calibration', 'model', 'sample'));
