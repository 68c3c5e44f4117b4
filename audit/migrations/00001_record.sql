-- +goose Up

-- One row for each model the service has run. Items name it by the short id: the full version is a long hash.
CREATE TABLE hitl.model_versions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version     text NOT NULL,
    classifier  text NOT NULL,
    labels_hash bytea NOT NULL, -- labels may be too many for an index
    labels      text[] NOT NULL,
    engine      text NOT NULL DEFAULT '',
    first_seen  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (version, classifier, labels_hash)
);

CREATE TABLE hitl.policy_versions (
    name       text NOT NULL,
    version    text NOT NULL,
    text       text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, version)
);

-- Item, prediction and route are written at the same moment, once, one of each, and are read together: they share a row. That is a
-- third of the inserts and none of the joins. What may have to be erased is in item_texts.
-- model_id has no foreign key: its check would lock the one current model's row in every transaction.
CREATE TABLE hitl.items (
    id          text COLLATE "C" PRIMARY KEY,
    source      text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    body_hash   bytea NOT NULL,
    received_at timestamptz NOT NULL,
    subject     text COLLATE "C" NOT NULL,
    text_ref    bytea NOT NULL, -- HMAC-SHA256 of the text under item_texts.key; stays when the text is erased

    model_id    bigint NOT NULL,
    ai_label    text NOT NULL,
    confidence  double precision NOT NULL,
    scores      json NOT NULL, -- [{label, probability}], most likely first. json, not jsonb: kept to the byte, and \u0000 is no error
    latency_ns  bigint NOT NULL,
    tokens      integer NOT NULL,
    truncated   boolean NOT NULL,
    failure     text NOT NULL,

    status      text COLLATE "C" NOT NULL CHECK (status IN ('AI_ACCEPTED', 'HUMAN_REVIEW')),
    triggers    text[] NOT NULL,
    queue       text COLLATE "C" NOT NULL,
    priority    text COLLATE "C" NOT NULL,
    policy      text NOT NULL,
    threshold   double precision NOT NULL,
    inclusion   double precision NOT NULL,

    CONSTRAINT items_key UNIQUE (source, external_id)
);
CREATE INDEX items_received ON hitl.items (received_at) INCLUDE (status, queue);

-- What erasure deletes: without the key, text_ref says nothing about the text. The row is written by the statement that
-- writes the item; a foreign key would lock, and so rewrite, each item once more.
CREATE TABLE hitl.item_texts (
    item_id  text COLLATE "C" PRIMARY KEY,
    text     text NOT NULL,
    metadata json NOT NULL,
    key      bytea NOT NULL CHECK (length(key) = 32)
);

-- One row per reviewed item; round counts up when it is opened again, and decisions keeps every round.
CREATE TABLE hitl.reviews (
    id         text COLLATE "C" PRIMARY KEY,
    item_id    text COLLATE "C" NOT NULL UNIQUE REFERENCES hitl.items,
    round      integer NOT NULL,
    state      text COLLATE "C" NOT NULL CHECK (state IN ('open', 'decided', 'expired', 'cancelled')),
    queue      text COLLATE "C" NOT NULL,
    priority   text COLLATE "C" NOT NULL,
    opened_at  timestamptz NOT NULL,
    expires_at timestamptz,
    closed_at  timestamptz,
    version    bigint NOT NULL DEFAULT 1 -- counts up with every change that a card shows
);
CREATE INDEX reviews_open ON hitl.reviews (queue, id) INCLUDE (opened_at) WHERE state = 'open';
CREATE INDEX reviews_due ON hitl.reviews (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;

-- The primary key is what lets one decision win. item_id, queue, ai_label and opened_at are copied from the round as it was, so
-- that statistics read this table alone.
CREATE TABLE hitl.decisions (
    review_id     text COLLATE "C" NOT NULL REFERENCES hitl.reviews,
    round         integer NOT NULL,
    item_id       text COLLATE "C" NOT NULL,
    queue         text COLLATE "C" NOT NULL,
    ai_label      text NOT NULL,
    opened_at     timestamptz NOT NULL,
    status        text COLLATE "C" NOT NULL CHECK (status IN ('HUMAN_ACCEPTED', 'HUMAN_CORRECTED', 'EXPIRED', 'CANCELLED')),
    label         text NOT NULL,
    reviewer_team text COLLATE "C" NOT NULL,
    reviewer_user text COLLATE "C" NOT NULL,
    reason        text NOT NULL,
    comment       text NOT NULL,
    at            timestamptz NOT NULL,
    context       json NOT NULL,
    PRIMARY KEY (review_id, round)
);
CREATE INDEX decisions_at ON hitl.decisions (at);

CREATE TABLE hitl.cards (
    id         text COLLATE "C" PRIMARY KEY,
    review_id  text COLLATE "C" NOT NULL REFERENCES hitl.reviews,
    team       text COLLATE "C" NOT NULL,
    channel    text COLLATE "C" NOT NULL,
    ts         text COLLATE "C" NOT NULL DEFAULT '',
    state      text COLLATE "C" NOT NULL CHECK (state IN ('intent', 'posted', 'gone')),
    attempt    integer NOT NULL,
    live       boolean NOT NULL, -- takes room in its channel: not gone, and its review is open
    created_at timestamptz NOT NULL,
    begun_at   timestamptz NOT NULL
);
CREATE INDEX cards_review ON hitl.cards (review_id);
CREATE UNIQUE INDEX cards_one ON hitl.cards (review_id) WHERE state <> 'gone';
CREATE INDEX cards_live ON hitl.cards (channel) WHERE live;
CREATE INDEX cards_intent ON hitl.cards (begun_at) WHERE state = 'intent';

-- next_at and attempts stand in no index, so that a retry changes no index.
CREATE TABLE hitl.callbacks (
    id           text COLLATE "C" PRIMARY KEY,
    source       text COLLATE "C" NOT NULL,
    item_id      text COLLATE "C" NOT NULL REFERENCES hitl.items,
    body         bytea NOT NULL,
    state        text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL DEFAULT now(),
    delivered_at timestamptz,
    next_at      timestamptz NOT NULL DEFAULT now() -- no attempt begins earlier
);
CREATE INDEX callbacks_item ON hitl.callbacks (item_id);
CREATE INDEX callbacks_pending ON hitl.callbacks (id) WHERE state = 'pending';
CREATE INDEX callbacks_dead ON hitl.callbacks (id) WHERE state = 'dead';

-- Periodic work: whichever replica moves next_at runs it.
CREATE TABLE hitl.timers (
    name    text COLLATE "C" PRIMARY KEY,
    next_at timestamptz NOT NULL
);

-- The append-only log. tx, the inserting transaction, lets a reader take entries in an order that skips none: all of
-- those below pg_snapshot_xmin(pg_current_snapshot()) are visible for good. No foreign key, no update, no delete.
CREATE TABLE hitl.log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    item_id    text COLLATE "C" NOT NULL,
    at         timestamptz NOT NULL,
    status     text COLLATE "C" NOT NULL,
    text_ref   bytea NOT NULL,
    ai_label   text NOT NULL,
    confidence double precision NOT NULL,
    label      text NOT NULL,
    reviewer   text NOT NULL,
    model      text NOT NULL,
    policy     text NOT NULL,
    context    json NOT NULL,
    tx         xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX log_item ON hitl.log (item_id, id);

-- +goose StatementBegin
CREATE FUNCTION hitl.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.log
    FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
-- ALWAYS: it fires for superusers and under session_replication_role = replica, too.
ALTER TABLE hitl.log ENABLE ALWAYS TRIGGER append_only;
