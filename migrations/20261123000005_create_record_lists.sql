CREATE TABLE record_lists (
    account_id             text COLLATE "C" NOT NULL,
    id                     uuid NOT NULL,
    name                   text NOT NULL,
    unique_identifier_type text NOT NULL
        CHECK (unique_identifier_type IN ('PHONE_NUMBER', 'EXTERNAL', 'NOTHING')),
    status                 text NOT NULL,
    created_by             text COLLATE "C" NOT NULL,
    created_at             timestamptz NOT NULL,
    updated_at             timestamptz NOT NULL,
    version                bigint NOT NULL DEFAULT 1,
    deleted_at             timestamptz,
    deleted_by             text COLLATE "C",
    deletion_id            uuid,
    purge_at               timestamptz,
    held                   boolean NOT NULL DEFAULT false,
    live                   boolean NOT NULL GENERATED ALWAYS AS (deleted_at IS NULL) STORED,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, id, live),
    FOREIGN KEY (account_id) REFERENCES accounts (account_id),
    CONSTRAINT record_lists_trash_is_whole CHECK (num_nulls(deleted_at, deleted_by, deletion_id) IN (0, 3)),
    CONSTRAINT record_lists_purge_needs_trash CHECK (purge_at IS NULL OR deleted_at IS NOT NULL)
);

CREATE TABLE records (
    account_id        text COLLATE "C" NOT NULL,
    record_list_id    uuid NOT NULL,
    id                uuid NOT NULL,
    first_name        text NOT NULL,
    last_name         text NOT NULL,
    timezone          text,
    priority          smallint CHECK (priority BETWEEN 1 AND 10),
    external_provider text COLLATE "C",
    external_id       text COLLATE "C",
    external_url      text,
    sync_external_id  boolean NOT NULL,
    extra_data        json NOT NULL,
    -- What no two live records of the list may share: the first number's key, the
    -- external reference, or nothing, as the list's unique_identifier_type says.
    unique_key        text COLLATE "C",
    created_by        text COLLATE "C" NOT NULL,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    version           bigint NOT NULL DEFAULT 1,
    deleted_at        timestamptz,
    deleted_by        text COLLATE "C",
    deletion_id       uuid,
    purge_at          timestamptz,
    held              boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, record_list_id, id),
    FOREIGN KEY (account_id, record_list_id) REFERENCES record_lists (account_id, id),
    CONSTRAINT records_reference_is_whole CHECK (num_nulls(external_provider, external_id) IN (0, 2)),
    CONSTRAINT records_trash_is_whole CHECK (num_nulls(deleted_at, deleted_by, deletion_id) IN (0, 3)),
    CONSTRAINT records_purge_needs_trash CHECK (purge_at IS NULL OR deleted_at IS NOT NULL)
);

CREATE UNIQUE INDEX records_live_key ON records (account_id, record_list_id, unique_key)
    WHERE deleted_at IS NULL;
CREATE INDEX records_live ON records (account_id, record_list_id, updated_at, id)
    WHERE deleted_at IS NULL;
-- Trashed records are found too, so that they can be told from unknown ones.
CREATE INDEX records_by_reference ON records (account_id, record_list_id, external_id, external_provider)
    WHERE external_id IS NOT NULL;
CREATE INDEX records_held ON records (account_id, record_list_id)
    WHERE held;

CREATE TABLE record_phones (
    account_id     text COLLATE "C" NOT NULL,
    record_list_id uuid NOT NULL,
    record_id      uuid NOT NULL,
    position       smallint NOT NULL,
    phone_number   text NOT NULL,
    phone_type     text,
    phone_key      text COLLATE "C" NOT NULL,
    PRIMARY KEY (account_id, record_list_id, record_id, position),
    FOREIGN KEY (account_id, record_list_id, record_id) REFERENCES records (account_id, record_list_id, id)
);

CREATE INDEX record_phones_by_key ON record_phones (account_id, record_list_id, phone_key);

ALTER TABLE record_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE record_lists FORCE ROW LEVEL SECURITY;
ALTER TABLE records ENABLE ROW LEVEL SECURITY;
ALTER TABLE records FORCE ROW LEVEL SECURITY;
ALTER TABLE record_phones ENABLE ROW LEVEL SECURITY;
ALTER TABLE record_phones FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON record_lists
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON records
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON record_phones
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

CREATE POLICY only_trash_is_removed ON record_lists AS RESTRICTIVE FOR DELETE
    USING (deleted_at IS NOT NULL AND NOT held);
CREATE POLICY only_trash_is_removed ON records AS RESTRICTIVE FOR DELETE
    USING (deleted_at IS NOT NULL AND NOT held);
-- A number goes with its record and has no life of its own.
CREATE POLICY only_trash_is_removed ON record_phones AS RESTRICTIVE FOR DELETE
    USING (EXISTS (
        SELECT FROM records r
        WHERE r.account_id = record_phones.account_id
          AND r.record_list_id = record_phones.record_list_id
          AND r.id = record_phones.record_id
          AND r.deleted_at IS NOT NULL
          AND NOT r.held
    ));

GRANT SELECT, INSERT, UPDATE, DELETE ON record_lists, records, record_phones TO expunge_app;
GRANT SELECT, UPDATE, DELETE ON record_lists, records, record_phones TO expunge_worker;
