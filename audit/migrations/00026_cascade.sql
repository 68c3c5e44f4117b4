-- +goose Up

-- The place of the model in a cascade of two, 'before VERSION at THRESHOLD' or 'after VERSION at THRESHOLD'; '': it judged alone.
ALTER TABLE hitl.items ADD COLUMN stage text NOT NULL DEFAULT '';
