-- One contact into the trash as the service does it: row security, the lock first, the stamp of the retention, an entry
-- in the ledger, all or nothing, and the row for the answer.
\set k :k + 1
\set i :client_id * :per_client + :k
\set account 1000000000000000000 + :first_account + :i % :accounts
\set id 1000000000000000000 + (:first_account + :i % :accounts) * 1000000 + (:i / :accounts) * 7919 % :rows
BEGIN;
SELECT set_config('app.account_id', '65f1a' || :account, true), set_config('lock_timeout', '2000ms', true);
WITH locked AS (
    SELECT id FROM contacts
    WHERE account_id = '65f1a' || :account AND id = '65f1a' || :id AND deleted_at IS NULL
    FOR UPDATE
), trashed AS (
    UPDATE contacts c
    SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(), updated_at = now(),
        version = version + 1,
        purge_at = now() + (
            SELECT r.days * interval '1 day' FROM retention r
            WHERE r.account_id = '65f1a' || :account AND r.resource = 'contact'
        )
    FROM locked
    WHERE c.account_id = '65f1a' || :account AND c.id = locked.id
    RETURNING c.*
), entry AS (
    INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client, request_id, at,
                        row_ids, versions)
    SELECT account_id, deletion_id, 'contact', stream_id, 'deleted', deleted_by,
           'cs-00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', deleted_at, ARRAY[id],
           ARRAY[version]
    FROM trashed
)
SELECT * FROM trashed;
COMMIT;
