-- +goose NO TRANSACTION
-- +goose Up

-- A process looks here for callbacks that are due, source by source, so that one source's are not read for another's.
-- Built beside the running service. A build that was broken off leaves an index that is no good, hence the drop.
DROP INDEX CONCURRENTLY IF EXISTS hitl.callbacks_due;
CREATE INDEX CONCURRENTLY callbacks_due ON hitl.callbacks (source, next_at) WHERE state = 'pending';
