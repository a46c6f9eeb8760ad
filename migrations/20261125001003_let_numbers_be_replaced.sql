-- A number that its record no longer has is marked first and then removed, as
-- everything is: the database lets no number go that is one of a live record's.
ALTER TABLE record_phones ADD COLUMN replaced boolean NOT NULL DEFAULT false;

ALTER POLICY only_trash_is_removed ON record_phones
    USING (replaced OR EXISTS (
        SELECT FROM records r
        WHERE r.account_id = record_phones.account_id
          AND r.record_list_id = record_phones.record_list_id
          AND r.id = record_phones.record_id
          AND r.deleted_at IS NOT NULL
          AND NOT r.held
    ));
