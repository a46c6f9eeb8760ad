-- What changed, for ever. One row for each deletion and kind, packed: logically
-- one entry for each of row_ids. Holds ids only, no personal data.
CREATE TABLE ledger (
    account_id  text COLLATE "C" NOT NULL,
    entry_id    bigint GENERATED ALWAYS AS IDENTITY,
    -- Readers go by the visibility of transactions, never by "entry_id > last".
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    deletion_id uuid NOT NULL,
    resource    text COLLATE "C" NOT NULL,
    -- The stream or record list that the rows belong to.
    within      text COLLATE "C" NOT NULL,
    action      text COLLATE "C" NOT NULL,
    actor_user  text COLLATE "C" NOT NULL,
    actor_client text COLLATE "C" NOT NULL,
    request_id  text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    row_ids     text[] NOT NULL,
    versions    bigint[] NOT NULL,
    PRIMARY KEY (account_id, entry_id),
    CONSTRAINT ledger_ids_and_versions_pair
        CHECK (cardinality(row_ids) = cardinality(versions) AND cardinality(row_ids) BETWEEN 1 AND 1000)
);

CREATE INDEX ledger_by_deletion ON ledger (account_id, deletion_id);

ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON ledger
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

GRANT SELECT, INSERT ON ledger TO expunge_app, expunge_worker;
