-- +goose NO TRANSACTION
-- +goose Up

-- Claims are to read callbacks_due, in its order, whatever Postgres thinks is pending. By figures from a quiet moment this index was as good, with a sort:
-- of three hundred callbacks, and once they had become three hundred thousand, of those, for each claim.
DROP INDEX CONCURRENTLY IF EXISTS hitl.callbacks_pending;
