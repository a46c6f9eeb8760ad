-- Lists are listed, the last changed first; a list's zones are walked, one step for each.
CREATE INDEX record_lists_live ON record_lists (account_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX records_live_timezone ON records (account_id, record_list_id, timezone)
    WHERE deleted_at IS NULL;
