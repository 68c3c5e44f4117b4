-- +goose NO TRANSACTION
-- +goose Up

-- What people decided before, for whoever looks at a review: on the same text, and lately in its queue.
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_decided_twins;
CREATE INDEX CONCURRENTLY reviews_decided_twins ON hitl.reviews (queue, twin, closed_at) WHERE state = 'decided' AND twin IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS hitl.decisions_queue;
CREATE INDEX CONCURRENTLY decisions_queue ON hitl.decisions (queue, at) WHERE status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED');
