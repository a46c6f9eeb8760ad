CREATE TABLE contact_lists (
    account_id      text COLLATE "C" NOT NULL,
    stream_id       text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    name            text NOT NULL,
    lname           text COLLATE "C" NOT NULL,
    description     text NOT NULL,
    source          text NOT NULL,
    allow_duplicates boolean NOT NULL,
    list_type       text NOT NULL,
    status          text NOT NULL,
    mapping         json NOT NULL,
    files           json NOT NULL,
    created_by      text COLLATE "C" NOT NULL,
    updated_by      text COLLATE "C" NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    deleted_at      timestamptz,
    deleted_by      text COLLATE "C",
    deletion_id     uuid,
    purge_at        timestamptz,
    held            boolean NOT NULL DEFAULT false,
    -- What an attachment refers to: a list that is in the trash has no such key.
    live            boolean NOT NULL GENERATED ALWAYS AS (deleted_at IS NULL) STORED,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, id, live),
    FOREIGN KEY (account_id, stream_id) REFERENCES streams (account_id, stream_id),
    CONSTRAINT contact_lists_trash_is_whole CHECK (num_nulls(deleted_at, deleted_by, deletion_id) IN (0, 3)),
    CONSTRAINT contact_lists_purge_needs_trash CHECK (purge_at IS NULL OR deleted_at IS NOT NULL)
);

CREATE UNIQUE INDEX contact_lists_live_name ON contact_lists (account_id, stream_id, lname)
    WHERE deleted_at IS NULL;

CREATE TABLE contact_list_members (
    account_id   text COLLATE "C" NOT NULL,
    list_id      text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    phone_number text NOT NULL,
    phone_key    text COLLATE "C" NOT NULL,
    -- Set to phone_key in a list that removes duplicates.
    unique_key   text COLLATE "C",
    -- What else the caller said of the person, as given.
    details      json NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    version      bigint NOT NULL DEFAULT 1,
    deleted_at   timestamptz,
    deleted_by   text COLLATE "C",
    deletion_id  uuid,
    purge_at     timestamptz,
    held         boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, list_id, id),
    FOREIGN KEY (account_id, list_id) REFERENCES contact_lists (account_id, id),
    CONSTRAINT contact_list_members_trash_is_whole CHECK (num_nulls(deleted_at, deleted_by, deletion_id) IN (0, 3)),
    CONSTRAINT contact_list_members_purge_needs_trash CHECK (purge_at IS NULL OR deleted_at IS NOT NULL)
);

CREATE UNIQUE INDEX contact_list_members_live_number ON contact_list_members (account_id, list_id, unique_key)
    WHERE deleted_at IS NULL;
CREATE INDEX contact_list_members_live ON contact_list_members (account_id, list_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX contact_list_members_held ON contact_list_members (account_id, list_id)
    WHERE held;

CREATE TABLE campaigns (
    account_id     text COLLATE "C" NOT NULL,
    stream_id      text COLLATE "C" NOT NULL,
    id             text COLLATE "C" NOT NULL,
    name           text NOT NULL,
    campaign_type  text NOT NULL,
    status         text NOT NULL,
    -- The vendor's other fields, kept and answered as given.
    details        json NOT NULL,
    created_by     text COLLATE "C" NOT NULL,
    updated_by     text COLLATE "C" NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    version        bigint NOT NULL DEFAULT 1,
    deleted_at     timestamptz,
    deleted_by     text COLLATE "C",
    deletion_id    uuid,
    purge_at       timestamptz,
    held           boolean NOT NULL DEFAULT false,
    live           boolean NOT NULL GENERATED ALWAYS AS (deleted_at IS NULL) STORED,
    PRIMARY KEY (account_id, id),
    UNIQUE (account_id, id, live),
    FOREIGN KEY (account_id, stream_id) REFERENCES streams (account_id, stream_id),
    CONSTRAINT campaigns_trash_is_whole CHECK (num_nulls(deleted_at, deleted_by, deletion_id) IN (0, 3)),
    CONSTRAINT campaigns_purge_needs_trash CHECK (purge_at IS NULL OR deleted_at IS NOT NULL)
);

-- An attachment holds while both sides are live: each half is true and part of
-- a foreign key, so that neither a list nor a campaign can be trashed under it,
-- whatever the program does. A trashed campaign lets go by setting both to NULL
-- and so remembers what it was attached to.
CREATE TABLE campaign_contact_lists (
    account_id    text COLLATE "C" NOT NULL,
    campaign_id   text COLLATE "C" NOT NULL,
    list_id       text COLLATE "C" NOT NULL,
    campaign_live boolean DEFAULT true CHECK (campaign_live),
    list_live     boolean DEFAULT true CHECK (list_live),
    PRIMARY KEY (account_id, campaign_id, list_id),
    CONSTRAINT campaign_contact_lists_live_campaign
        FOREIGN KEY (account_id, campaign_id, campaign_live) REFERENCES campaigns (account_id, id, live),
    CONSTRAINT campaign_contact_lists_live_list
        FOREIGN KEY (account_id, list_id, list_live) REFERENCES contact_lists (account_id, id, live),
    CONSTRAINT campaign_contact_lists_let_go_whole
        CHECK (num_nulls(campaign_live, list_live) IN (0, 2))
);

CREATE INDEX campaign_contact_lists_by_list ON campaign_contact_lists (account_id, list_id, list_live);

ALTER TABLE contact_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_lists FORCE ROW LEVEL SECURITY;
ALTER TABLE contact_list_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_list_members FORCE ROW LEVEL SECURITY;
ALTER TABLE campaigns ENABLE ROW LEVEL SECURITY;
ALTER TABLE campaigns FORCE ROW LEVEL SECURITY;
ALTER TABLE campaign_contact_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE campaign_contact_lists FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON contact_lists
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON contact_list_members
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON campaigns
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON campaign_contact_lists
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

CREATE POLICY only_trash_is_removed ON contact_lists AS RESTRICTIVE FOR DELETE
    USING (deleted_at IS NOT NULL AND NOT held);
CREATE POLICY only_trash_is_removed ON contact_list_members AS RESTRICTIVE FOR DELETE
    USING (deleted_at IS NOT NULL AND NOT held);
CREATE POLICY only_trash_is_removed ON campaigns AS RESTRICTIVE FOR DELETE
    USING (deleted_at IS NOT NULL AND NOT held);
CREATE POLICY only_trash_is_removed ON campaign_contact_lists AS RESTRICTIVE FOR DELETE
    USING (list_live IS NULL);

GRANT SELECT, INSERT, UPDATE, DELETE
    ON contact_lists, contact_list_members, campaigns, campaign_contact_lists TO expunge_app;
GRANT SELECT, UPDATE, DELETE
    ON contact_lists, contact_list_members, campaigns, campaign_contact_lists TO expunge_worker;
