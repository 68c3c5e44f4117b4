-- +goose Up

ALTER TABLE hitl.items ADD COLUMN erased_at timestamptz; -- when its text, metadata, subject and comments were erased; NULL: they are here

-- A callback keeps its body while it is on its way, and not a moment longer once its item was erased. The mark and the state are in one row,
-- so that whichever of erasure and delivery comes second takes the body away.
ALTER TABLE hitl.callbacks ADD COLUMN erased boolean NOT NULL DEFAULT false;

-- +goose StatementBegin
CREATE FUNCTION hitl.scrub_callback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.erased AND OLD.state <> 'pending' AND NEW.state = 'pending' THEN
        RETURN NULL; -- there is nothing left to send
    END IF;
    IF NEW.state <> 'pending' THEN
        NEW.body := '';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER scrub BEFORE UPDATE ON hitl.callbacks FOR EACH ROW WHEN (NEW.erased) EXECUTE FUNCTION hitl.scrub_callback();

-- The one way in which the service can take anything away. It erases those of the items that were not erased yet and that nobody is about to
-- review, with an entry in the log for each, and returns them, with the review whose posted card now shows too much ('': none).
-- What it removes: text, metadata and key; subject; hash of the body, which would tell whether a guessed text is the right one; comments; bodies
-- of callbacks.
-- +goose StatementBegin
CREATE FUNCTION hitl.erase(item_ids text[], moment timestamptz, who text, why text) RETURNS TABLE (erased_item text, shown_review text)
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
    UPDATE hitl.callbacks c SET erased = true WHERE c.item_id = ANY (gone);
    UPDATE hitl.reviews r SET version = r.version + 1 WHERE r.item_id = ANY (gone);
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
REVOKE ALL ON FUNCTION hitl.erase(text[], timestamptz, text, text) FROM PUBLIC;
