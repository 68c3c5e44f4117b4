-- +goose NO TRANSACTION
-- +goose Up

-- Built beside the running service. A build that was broken off leaves an index that is no good, hence the drops.
DROP INDEX CONCURRENTLY IF EXISTS hitl.items_kept;
CREATE INDEX CONCURRENTLY items_kept ON hitl.items (source, received_at) WHERE erased_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS hitl.items_subject;
CREATE INDEX CONCURRENTLY items_subject ON hitl.items (subject, id) WHERE subject <> '';
