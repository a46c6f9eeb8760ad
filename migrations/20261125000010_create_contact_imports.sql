-- An import of contacts from a file, and what became of its rows. Both tables
-- are appended to and never changed: how far an import is, is the sum of its
-- batches. Holds ids and reasons, no personal data.
CREATE TABLE contact_imports (
    account_id text COLLATE "C" NOT NULL,
    stream_id  text COLLATE "C" NOT NULL,
    id         uuid NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, stream_id) REFERENCES streams (account_id, stream_id)
);

CREATE INDEX contact_imports_by_stream ON contact_imports (account_id, stream_id, id);

-- A batch is written in the transaction that creates its contacts. The last one
-- has no rows and says how the import ended.
CREATE TABLE contact_import_batches (
    account_id      text COLLATE "C" NOT NULL,
    import_id       uuid NOT NULL,
    -- The rows of the file are counted from 1, without the line of names.
    first_row       bigint NOT NULL,
    created         integer NOT NULL,
    failed          integer NOT NULL,
    -- One element for each row: the contact, or why there is none.
    contact_ids     text[] NOT NULL,
    reasons         text[] NOT NULL,
    messages        text[] NOT NULL,
    conflicting_ids text[] NOT NULL,
    ended           text COLLATE "C" CHECK (ended IN ('COMPLETED', 'INTERRUPTED')),
    at              timestamptz NOT NULL,
    PRIMARY KEY (account_id, import_id, first_row),
    FOREIGN KEY (account_id, import_id) REFERENCES contact_imports (account_id, id),
    CONSTRAINT contact_import_batches_rows_pair CHECK (
        cardinality(contact_ids) = created + failed AND cardinality(reasons) = created + failed
        AND cardinality(messages) = created + failed AND cardinality(conflicting_ids) = created + failed
        AND created + failed <= 1000
    )
);

ALTER TABLE contact_imports ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_imports FORCE ROW LEVEL SECURITY;
ALTER TABLE contact_import_batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_import_batches FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON contact_imports
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON contact_import_batches
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

GRANT SELECT, INSERT ON contact_imports, contact_import_batches TO expunge_app;
