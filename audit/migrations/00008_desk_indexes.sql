-- +goose NO TRANSACTION
-- +goose Up

-- Built beside the running service. A build that was broken off leaves an index that is no good, hence the drops.
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_next;
CREATE INDEX CONCURRENTLY reviews_next ON hitl.reviews (queue, priority, id) WHERE state = 'open';
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_claimed;
CREATE INDEX CONCURRENTLY reviews_claimed ON hitl.reviews (claimed_user, claimed_until) WHERE state = 'open' AND claimed_user <> '';
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_remind;
CREATE INDEX CONCURRENTLY reviews_remind ON hitl.reviews (remind_at) WHERE state = 'open' AND remind_at IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_escalate;
CREATE INDEX CONCURRENTLY reviews_escalate ON hitl.reviews (escalate_at) WHERE state = 'open' AND escalate_at IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS hitl.reviews_twins;
CREATE INDEX CONCURRENTLY reviews_twins ON hitl.reviews (queue, twin, id) WHERE state = 'open' AND twin IS NOT NULL;
ALTER TABLE hitl.callbacks VALIDATE CONSTRAINT callbacks_state_check;
