-- +goose NO TRANSACTION
-- +goose Up

-- How much a review's answer is expected to teach, in [0, 1]. NULL: it goes by age, as all do where the order is by age, and in every order a part that
-- is drawn at random. Two indexes divide the open reviews between them, so that the first of each part is found however many wait. Built beside the
-- running service. A build that was broken off leaves an index that is no good, hence the drops.
ALTER TABLE hitl.reviews ADD COLUMN IF NOT EXISTS teaches float8;
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_teaching;
CREATE INDEX CONCURRENTLY reviews_teaching ON hitl.reviews (queue, priority, teaches DESC, id) WHERE state = 'open' AND teaches IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_by_age;
CREATE INDEX CONCURRENTLY reviews_by_age ON hitl.reviews (queue, priority, id) WHERE state = 'open' AND teaches IS NULL;
