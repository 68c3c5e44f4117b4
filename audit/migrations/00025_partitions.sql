-- +goose NO TRANSACTION
-- +goose Up

-- The log in parts, one for each month (UTC) of its entries' times, so that old months can be taken out whole (hitl log detach): the tree's hashes
-- stay, in log_positions and log_tiles.
--
-- What it costs a log in use: the table that is there becomes the part of everything so far, as it is. It is read once, beside the running service, to
-- make sure that it holds nothing of later months (about a second for each GB that is in memory); no row and no index is written. Writers wait
-- twice for some milliseconds. Each part keeps its own primary key on id. One on the parted table would have to hold the time, too, would be built anew,
-- and would hold less: that ids are unique across months is what the identity is for, and log_positions.log_id is UNIQUE.
--
-- Every step may be broken off and done again.

-- The log's parts by their names and bounds: since is the first moment, until the first one that is not in it, and both are NULL for the part that takes
-- whatever no other does.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION hitl.log_partitions() RETURNS TABLE (name text, since timestamptz, until timestamptz)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
    SELECT p.relname::text,
        CASE WHEN p.bound[1] = 'MINVALUE' THEN '-infinity' ELSE trim('''' FROM p.bound[1])::timestamptz END,
        CASE WHEN p.bound[2] = 'MAXVALUE' THEN 'infinity' ELSE trim('''' FROM p.bound[2])::timestamptz END
    FROM (
        SELECT c.relname, regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \((.*)\) TO \((.*)\)') AS bound
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = to_regclass('hitl.log')) p
    ORDER BY 2 NULLS LAST
$$;
-- +goose StatementEnd

-- Makes the parts of this month and of the next three, and returns those that it made, and those that it could not make because entries of theirs stand
-- in log_default: they stay there, in the log like all others. It takes no argument and only ever adds, so the service may call it, which
-- owns nothing. A new part is attached without a lock that writers would meet; readers of the log may hold it up, and then it gives up.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION hitl.make_log_partitions() RETURNS TABLE (partition text, made boolean)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET lock_timeout = '2s' AS $$
DECLARE
    month  timestamptz;
    after  timestamptz; -- the next one
    locked boolean := false;
BEGIN
    FOR n IN 0..3 LOOP
        month := date_trunc('month', now()) + n * interval '1 month';
        after := month + interval '1 month';
        partition := to_char(month, '"log_"YYYY_MM');
        CONTINUE WHEN EXISTS (SELECT FROM hitl.log_partitions() p WHERE p.since < after AND p.until > month);
        IF NOT locked THEN -- one at a time; whoever waited looks again
            PERFORM pg_advisory_xact_lock(x'6869746c70617274'::bigint); -- "hitlpart"
            locked := true;
            CONTINUE WHEN EXISTS (SELECT FROM hitl.log_partitions() p WHERE p.since < after AND p.until > month);
        END IF;
        BEGIN
            EXECUTE format('CREATE TABLE hitl.%I (LIKE hitl.log INCLUDING DEFAULTS INCLUDING INDEXES, PRIMARY KEY (id))', partition);
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.%I
                FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change()', partition);
            EXECUTE format('ALTER TABLE hitl.%I ENABLE ALWAYS TRIGGER append_only', partition);
            EXECUTE format('ALTER TABLE hitl.log ATTACH PARTITION hitl.%I FOR VALUES FROM (%L) TO (%L)', partition, month, after);
            made := true;
        EXCEPTION WHEN check_violation THEN
            made := false;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION hitl.make_log_partitions() FROM PUBLIC;

-- What was taken out of the log with its DETACHED entry, as the leaf that the tree holds: an entry may one day be detached itself.
CREATE TABLE IF NOT EXISTS hitl.log_detached (
    log_id  bigint PRIMARY KEY, -- of the entry
    name    text NOT NULL,      -- of the table, which stays in the database until its owner takes it away
    since   timestamptz NOT NULL,
    until   timestamptz NOT NULL,
    entries bigint NOT NULL,
    leaf    bytea NOT NULL
);
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.log_detached
    FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
ALTER TABLE hitl.log_detached ENABLE ALWAYS TRIGGER append_only;

-- Waits for the log without making those wait behind it who write: two seconds at most, and again.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION hitl.lock_log() RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    FOR attempt IN 1..60 LOOP
        BEGIN
            LOCK TABLE hitl.log IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            IF attempt = 60 THEN
                RAISE EXCEPTION 'the log is being read for minutes (hitl verify, an export, pg_dump): run hitl migrate again when that has ended'
                    USING ERRCODE = 'lock_not_available';
            END IF;
            PERFORM pg_sleep(1);
        END;
    END LOOP;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION hitl.lock_log() FROM PUBLIC;

-- A log in use goes on in its table until a month's end that is two weeks away at least. Until the last step is done no later entry is taken: that is
-- minutes, unless the migration is broken off here and not run again. What clocks that go wrong have written for later is seen to below.
-- +goose StatementBegin
DO $$
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'hitl.log'::regclass) = 'p' OR NOT EXISTS (SELECT FROM hitl.log) THEN
        RETURN;
    END IF;
    PERFORM hitl.lock_log();
    ALTER TABLE hitl.log DROP CONSTRAINT IF EXISTS log_until;
    PERFORM set_config('timezone', 'UTC', true);
    EXECUTE format('ALTER TABLE hitl.log ADD CONSTRAINT log_until CHECK (at < %L) NOT VALID',
        date_trunc('month', now() + interval '14 days') + interval '1 month');
END
$$;
-- +goose StatementEnd

-- The one reading of the whole table, which spares attaching it another under its lock.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'hitl.log'::regclass AND conname = 'log_until') THEN
        ALTER TABLE hitl.log VALIDATE CONSTRAINT log_until;
    END IF;
EXCEPTION WHEN check_violation THEN
    NULL; -- there are entries of later months
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    so_far    text; -- the table that is there, by its new name
    until     timestamptz;
    valid     boolean;
    next_id   bigint;
    grants    text[];
    statement text;
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'hitl.log'::regclass) = 'p' THEN
        RETURN;
    END IF;
    PERFORM set_config('timezone', 'UTC', true);
    PERFORM hitl.lock_log();
    SELECT convalidated INTO valid FROM pg_constraint WHERE conrelid = 'hitl.log'::regclass AND conname = 'log_until';
    until := date_trunc('month', now() + interval '14 days') + interval '1 month';
    IF NOT EXISTS (SELECT FROM hitl.log) THEN
        until := date_trunc('month', now());
        valid := true;
    END IF;
    so_far := to_char(until, '"log_before_"YYYY_MM');

    -- Nobody who writes or reads may lack a right for a moment.
    SELECT array_agg(format('GRANT %s ON hitl.log TO %s', a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END))
        || array_agg(DISTINCT format('REVOKE ALL ON hitl.%I FROM %s', so_far, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END))
        INTO grants FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'hitl.log'::regclass AND a.grantee <> c.relowner;
    SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END INTO next_id FROM hitl.log_id_seq;

    EXECUTE format('ALTER TABLE hitl.log RENAME TO %I', so_far);
    EXECUTE format('ALTER TABLE hitl.%I ALTER COLUMN id DROP IDENTITY', so_far); -- the parted table has it from here on
    EXECUTE format('ALTER INDEX hitl.log_pkey RENAME TO %I', so_far || '_pkey');
    EXECUTE format('ALTER INDEX hitl.log_item RENAME TO %I', so_far || '_item_id_id_idx');
    EXECUTE format('ALTER INDEX hitl.log_tx RENAME TO %I', so_far || '_tx_id_idx');
    EXECUTE format('CREATE TABLE hitl.log (LIKE hitl.%I INCLUDING DEFAULTS) PARTITION BY RANGE (at)', so_far);
    EXECUTE format('ALTER TABLE hitl.log OWNER TO %s', (SELECT relowner::regrole FROM pg_class WHERE oid = format('hitl.%I', so_far)::regclass));
    EXECUTE format('ALTER TABLE hitl.log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (START WITH %s)', next_id);
    CREATE INDEX log_item ON hitl.log (item_id, id);
    CREATE INDEX log_tx ON hitl.log (tx, id);
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.log FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
    ALTER TABLE hitl.log ENABLE ALWAYS TRIGGER append_only;
    -- Triggers of statements are not passed on to parts: each has its own, for those who name it instead of the log.
    CREATE TABLE hitl.log_default PARTITION OF hitl.log DEFAULT;
    ALTER TABLE hitl.log_default ADD PRIMARY KEY (id);
    IF valid IS NOT TRUE THEN -- entries of later months move to where they belong, as they are
        EXECUTE format('ALTER TABLE hitl.%I DISABLE TRIGGER append_only', so_far);
        EXECUTE format('INSERT INTO hitl.log_default OVERRIDING SYSTEM VALUE SELECT * FROM hitl.%I WHERE at >= %L', so_far, until);
        EXECUTE format('DELETE FROM hitl.%I WHERE at >= %L', so_far, until);
        EXECUTE format('ALTER TABLE hitl.%I ENABLE ALWAYS TRIGGER append_only', so_far);
    END IF;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hitl.log_default
        FOR EACH STATEMENT EXECUTE FUNCTION hitl.refuse_change();
    ALTER TABLE hitl.log_default ENABLE ALWAYS TRIGGER append_only;
    EXECUTE format('ALTER TABLE hitl.log ATTACH PARTITION hitl.%I FOR VALUES FROM (MINVALUE) TO (%L)', so_far, until);
    EXECUTE format('ALTER TABLE hitl.%I DROP CONSTRAINT IF EXISTS log_until', so_far);
    FOREACH statement IN ARRAY coalesce(grants, '{}') LOOP
        EXECUTE statement;
    END LOOP;
END
$$;
-- +goose StatementEnd
DROP FUNCTION IF EXISTS hitl.lock_log();

SELECT hitl.make_log_partitions();
