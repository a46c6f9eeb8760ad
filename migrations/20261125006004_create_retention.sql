-- How long an account keeps each kind of thing in its trash. No row, or no days: for ever.
CREATE TABLE retention (
    account_id     text COLLATE "C" NOT NULL,
    resource       text COLLATE "C" NOT NULL
        CHECK (resource IN ('contact', 'contact_list', 'campaign', 'record_list', 'record')),
    -- NULL switches it off: what has a time to go keeps it, and nothing goes.
    days           integer CHECK (days BETWEEN 1 AND 3650),
    -- Until when what was in the trash before it was set has been promised to stay.
    promised_until timestamptz,
    set_by         text COLLATE "C" NOT NULL,
    set_by_client  text COLLATE "C" NOT NULL,
    set_at         timestamptz NOT NULL,
    PRIMARY KEY (account_id, resource)
);

ALTER TABLE retention ENABLE ROW LEVEL SECURITY;
ALTER TABLE retention FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON retention
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
GRANT SELECT, INSERT, UPDATE ON retention TO expunge_app;
GRANT SELECT ON retention TO expunge_worker;

-- Every account is kept up from its beginning.
INSERT INTO jobs (account_id, id, kind, due_at)
SELECT account_id, gen_random_uuid(), 'upkeep', now() FROM accounts;
