CREATE TABLE contacts (
    account_id      text COLLATE "C" NOT NULL,
    stream_id       text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    first_name      text NOT NULL,
    last_name       text NOT NULL,
    salutation      text NOT NULL,
    country_code    text NOT NULL,
    phone_number    text NOT NULL,
    extension       text NOT NULL,
    -- The number in the one form that is compared: E.164 digits.
    phone_key       text COLLATE "C" NOT NULL,
    address         json NOT NULL,
    twitter_details json NOT NULL,
    created_by      text COLLATE "C" NOT NULL,
    created_by_aid  text COLLATE "C" NOT NULL,
    updated_by      text COLLATE "C",
    updated_by_aid  text COLLATE "C",
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    deleted_by      text COLLATE "C",
    deletion_id     uuid,
    purge_at        timestamptz,
    held            boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, stream_id) REFERENCES streams (account_id, stream_id),
    CONSTRAINT contacts_trash_is_whole CHECK (num_nulls(deleted_at, deleted_by, deletion_id) IN (0, 3)),
    CONSTRAINT contacts_purge_needs_trash CHECK (purge_at IS NULL OR deleted_at IS NOT NULL)
);

-- A deleted contact's number is free at once.
CREATE UNIQUE INDEX contacts_live_number ON contacts (account_id, stream_id, phone_key)
    WHERE deleted_at IS NULL;
CREATE INDEX contacts_live ON contacts (account_id, stream_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX contacts_trash ON contacts (account_id, stream_id, id)
    WHERE deleted_at IS NOT NULL;

ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contacts
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
-- Restrictive, because a permissive policy would be ORed with the tenant's.
CREATE POLICY only_trash_is_removed ON contacts AS RESTRICTIVE FOR DELETE
    USING (deleted_at IS NOT NULL AND NOT held);

GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO expunge_app;
GRANT SELECT, UPDATE, DELETE ON contacts TO expunge_worker;
