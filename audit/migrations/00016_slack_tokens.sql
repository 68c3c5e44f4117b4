-- +goose Up

-- The tokens of Slack apps whose tokens expire, one row per app, encrypted under a key that is not in the database. Who holds the lease exchanges the
-- refresh token for a new pair; version counts the pairs, and 0 is none yet.
CREATE TABLE hitl.slack_tokens (
    app          text PRIMARY KEY,
    version      bigint NOT NULL DEFAULT 0,
    sealed       bytea NOT NULL DEFAULT '',
    expires_at   timestamptz NOT NULL DEFAULT '-infinity',
    leased_by    text NOT NULL DEFAULT '',
    leased_until timestamptz NOT NULL DEFAULT '-infinity'
);
