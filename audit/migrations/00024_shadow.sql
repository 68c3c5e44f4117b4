-- +goose Up

-- What models said that were proposed and did not judge, beside what judged. It has no effect and no text, so that it stays when an item is erased, as
-- the item's own scores do.
CREATE TABLE hitl.shadow (
    item_id    text COLLATE "C" NOT NULL REFERENCES hitl.items,
    model      text COLLATE "C" NOT NULL, -- version
    label      text NOT NULL, -- '': the model failed
    confidence double precision NOT NULL,
    scores     json NOT NULL, -- [{label, probability}], most likely first
    at         timestamptz NOT NULL,
    PRIMARY KEY (item_id, model)
);
CREATE INDEX shadow_model ON hitl.shadow (model, at);
