-- Both are listed, the last changed first.
CREATE INDEX contact_lists_live ON contact_lists (account_id, stream_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX campaigns_live ON campaigns (account_id, stream_id, updated_at, id)
    WHERE deleted_at IS NULL;
