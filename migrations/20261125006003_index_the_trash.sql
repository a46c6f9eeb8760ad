-- What is in the trash is found by what it was known by, and emptied in the order in which it came.
CREATE INDEX contacts_trash_number ON contacts (account_id, phone_key, stream_id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX contacts_trash_time ON contacts (account_id, deleted_at, id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX contact_lists_trash_time ON contact_lists (account_id, deleted_at, id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX contact_list_members_trash_time ON contact_list_members (account_id, deleted_at, list_id, id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX campaigns_trash_time ON campaigns (account_id, deleted_at, id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX record_lists_trash_time ON record_lists (account_id, deleted_at, id)
    WHERE deleted_at IS NOT NULL;
CREATE INDEX records_trash_time ON records (account_id, deleted_at, record_list_id, id)
    WHERE deleted_at IS NOT NULL;

-- Who is called by a list is found by number.
CREATE INDEX contact_list_members_live_key ON contact_list_members (account_id, list_id, phone_key)
    WHERE deleted_at IS NULL;

-- The hard deletion, or the purge, that is taking what is below a list: it does not come back.
ALTER TABLE contact_lists ADD COLUMN removing uuid;
ALTER TABLE record_lists ADD COLUMN removing uuid;
CREATE INDEX contact_lists_removing ON contact_lists (account_id, removing)
    WHERE removing IS NOT NULL;
CREATE INDEX record_lists_removing ON record_lists (account_id, removing)
    WHERE removing IS NOT NULL;
