-- +goose Up

-- What the review desk needs beyond one verdict per review.

-- A review's claim ends by itself: it counts as long as claimed_until is ahead, by the database's clock. panel and blind are drawn when the item
-- is routed. twin is a hash of the text in plain form, equal for near-identical texts; erasure takes it, since it would tell a guessed text.
-- Due times of reminder and escalation are taken away by whoever carries them out.
ALTER TABLE hitl.reviews
    ADD COLUMN claimed_team  text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN claimed_user  text COLLATE "C" NOT NULL DEFAULT '', -- '': nobody
    ADD COLUMN claimed_until timestamptz,
    ADD COLUMN undo_until    timestamptz, -- of a closed review: until when its decision can be taken back
    ADD COLUMN remind_at     timestamptz,
    ADD COLUMN escalate_at   timestamptz,
    ADD COLUMN panel         integer NOT NULL DEFAULT 1 CHECK (panel BETWEEN 1 AND 15), -- how many independent verdicts it takes
    ADD COLUMN blind         boolean NOT NULL DEFAULT false, -- reviewers are not shown what the model said
    ADD COLUMN twin          bytea;

-- How a decision came about, as far as statistics tell decisions apart by it.
ALTER TABLE hitl.decisions
    ADD COLUMN blind boolean NOT NULL DEFAULT false,
    ADD COLUMN gold  boolean NOT NULL DEFAULT false; -- the answer was known before: it measures the reviewer

-- What single reviewers said without deciding: a skip, or one voice of a panel.
CREATE TABLE hitl.verdicts (
    review_id     text COLLATE "C" NOT NULL REFERENCES hitl.reviews,
    round         integer NOT NULL,
    reviewer_team text COLLATE "C" NOT NULL,
    reviewer_user text COLLATE "C" NOT NULL,
    kind          text COLLATE "C" NOT NULL CHECK (kind IN ('accepted', 'corrected', 'skipped')),
    label         text NOT NULL,
    reason        text NOT NULL,
    comment       text NOT NULL,
    at            timestamptz NOT NULL,
    context       json NOT NULL,
    PRIMARY KEY (review_id, round, reviewer_team, reviewer_user)
);
CREATE INDEX verdicts_at ON hitl.verdicts (at);

-- Notes on a review, as written in the thread of its card. Slack delivers one more than once: its place is its key.
CREATE TABLE hitl.notes (
    channel     text COLLATE "C" NOT NULL,
    ts          text COLLATE "C" NOT NULL,
    item_id     text COLLATE "C" NOT NULL,
    review_id   text COLLATE "C" NOT NULL REFERENCES hitl.reviews,
    round       integer NOT NULL,
    author_team text COLLATE "C" NOT NULL,
    author_user text COLLATE "C" NOT NULL,
    text        text NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (channel, ts)
);
CREATE INDEX notes_review ON hitl.notes (review_id, at);

-- Queues that somebody has paused.
CREATE TABLE hitl.pauses (
    queue     text COLLATE "C" PRIMARY KEY,
    paused_at timestamptz NOT NULL,
    paused_by text COLLATE "C" NOT NULL,
    reason    text NOT NULL
);

-- Items whose right label is known. They are put before reviewers from time to time.
CREATE TABLE hitl.gold (
    item_id  text COLLATE "C" PRIMARY KEY REFERENCES hitl.items,
    queue    text COLLATE "C" NOT NULL,
    label    text NOT NULL,
    active   boolean NOT NULL DEFAULT true,
    shown_at timestamptz, -- last
    added_at timestamptz NOT NULL DEFAULT now(),
    added_by text NOT NULL
);
CREATE INDEX gold_queue ON hitl.gold (queue, shown_at) WHERE active;

-- Messages to people about a review or a queue: written with what they tell of, posted afterwards.
CREATE TABLE hitl.notices (
    id         text COLLATE "C" PRIMARY KEY, -- stands in the message's metadata
    kind       text COLLATE "C" NOT NULL,
    queue      text COLLATE "C" NOT NULL,
    review_id  text COLLATE "C" NOT NULL, -- '': about none
    recipient  text COLLATE "C" NOT NULL, -- Slack channel or user; '': where the owners of the queue are told
    data       json NOT NULL,
    state      text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'posted', 'dead')),
    attempts   integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    channel    text COLLATE "C" NOT NULL DEFAULT '', -- where it was posted
    ts         text COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX notices_pending ON hitl.notices (id) WHERE state = 'pending';

-- A callback can be withdrawn as long as it waits for the time to undo to pass.
ALTER TABLE hitl.callbacks ADD COLUMN round integer NOT NULL DEFAULT 0; -- of the decision that it tells of; 0: of none
ALTER TABLE hitl.callbacks DROP CONSTRAINT callbacks_state_check;
ALTER TABLE hitl.callbacks ADD CONSTRAINT callbacks_state_check
    CHECK (state IN ('pending', 'delivered', 'dead', 'withdrawn')) NOT VALID;

-- As before, and also: twins, comments on verdicts, notes.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION hitl.erase(item_ids text[], moment timestamptz, who text, why text) RETURNS TABLE (erased_item text, shown_review text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    gone text[];
BEGIN
    IF moment IS NULL OR coalesce(who, '') = '' OR coalesce(why, '') = '' THEN
        RAISE EXCEPTION 'an erasure says when, who wants it and why' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Reviews first, then items, then callbacks, each in the order of their ids. Later statements see what whoever held a lock committed.
    PERFORM 1 FROM hitl.reviews r WHERE r.item_id = ANY (item_ids) ORDER BY r.id FOR NO KEY UPDATE;
    SELECT array_agg(l.id) INTO gone FROM (
        SELECT i.id FROM hitl.items i
        WHERE i.id = ANY (item_ids) AND i.erased_at IS NULL
            AND NOT EXISTS (SELECT FROM hitl.reviews r WHERE r.item_id = i.id AND r.state = 'open')
        ORDER BY i.id FOR NO KEY UPDATE) l;
    IF gone IS NULL THEN
        RETURN;
    END IF;
    PERFORM 1 FROM hitl.callbacks c WHERE c.item_id = ANY (gone) ORDER BY c.id FOR NO KEY UPDATE;

    DELETE FROM hitl.item_texts x WHERE x.item_id = ANY (gone);
    UPDATE hitl.items i SET erased_at = moment, subject = '', body_hash = decode(repeat('00', 32), 'hex') WHERE i.id = ANY (gone);
    UPDATE hitl.decisions d SET comment = ''
        WHERE d.review_id IN (SELECT r.id FROM hitl.reviews r WHERE r.item_id = ANY (gone)) AND d.comment <> '';
    UPDATE hitl.verdicts v SET comment = ''
        WHERE v.review_id IN (SELECT r.id FROM hitl.reviews r WHERE r.item_id = ANY (gone)) AND v.comment <> '';
    UPDATE hitl.notes n SET text = '' WHERE n.review_id IN (SELECT r.id FROM hitl.reviews r WHERE r.item_id = ANY (gone)) AND n.text <> '';
    UPDATE hitl.callbacks c SET erased = true WHERE c.item_id = ANY (gone);
    UPDATE hitl.reviews r SET version = r.version + 1, twin = NULL WHERE r.item_id = ANY (gone);
    INSERT INTO hitl.log (item_id, at, status, text_ref, ai_label, confidence, label, reviewer, model, policy, context)
        SELECT i.id, moment, 'ERASED', i.text_ref, i.ai_label, i.confidence, '', who, coalesce(m.version, ''), i.policy,
            json_build_object('source', i.source, 'reason', why)
        FROM hitl.items i LEFT JOIN hitl.model_versions m ON m.id = i.model_id WHERE i.id = ANY (gone) ORDER BY i.id;
    RETURN QUERY
        SELECT g.id, coalesce((
            SELECT r.id FROM hitl.reviews r
            WHERE r.item_id = g.id AND EXISTS (SELECT FROM hitl.cards c WHERE c.review_id = r.id AND c.state = 'posted')), '')
        FROM unnest(gone) AS g (id);
END
$$;
-- +goose StatementEnd
