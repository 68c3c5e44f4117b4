-- +goose Up

-- The W3C traceparent of an item's submission, by which what is done about it minutes or days later is linked to that; null: nobody recorded it.
-- It is no evidence: neither the log nor its checks know it.
ALTER TABLE hitl.items ADD COLUMN trace text COLLATE "C";
