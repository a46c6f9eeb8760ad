-- Records are found by number and by reference in one list, to be deleted, and in all of an account's, in the trash. Both
-- are answered by one index that begins with what is asked for, in place of one that begins with the list: no write costs
-- more than before.
CREATE INDEX record_phones_by_number ON record_phones (account_id, phone_key, record_list_id);
DROP INDEX record_phones_by_key;

CREATE INDEX records_by_external_id ON records (account_id, external_id, external_provider, record_list_id)
    WHERE external_id IS NOT NULL;
DROP INDEX records_by_reference;
