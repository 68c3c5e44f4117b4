-- +goose NO TRANSACTION
-- +goose Up

-- Whose card stands where: each message in a thread asks. Built beside the running service. A build that was broken off leaves an index that is no
-- good, hence the drop.
DROP INDEX CONCURRENTLY IF EXISTS hitl.cards_place;
CREATE INDEX CONCURRENTLY cards_place ON hitl.cards (channel, ts) WHERE ts <> '';
