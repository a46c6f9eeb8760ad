-- One contact list into the trash as the service does it: locked first, then, in a statement of its own, whose snapshot
-- is newer than the lock, asked for the campaigns that hold on to it, and then trashed with its entry in the ledger.
\set k :k + 1
\set i :client_id * :per_client + :k
\set account 1000000000000000000 + :i % :accounts
\set list 100000000000 + :i % :accounts * 1000000 + :i / :accounts
BEGIN;
SELECT set_config('app.account_id', '65f1a' || :account, true), set_config('lock_timeout', '2000ms', true);
SELECT id, version, held FROM contact_lists
WHERE account_id = '65f1a' || :account AND id = 'cl-00000000-0000-4000-8000-' || :list AND deleted_at IS NULL
FOR UPDATE;
WITH trashed AS (
    UPDATE contact_lists l
    SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(), updated_at = now(),
        version = version + 1,
        purge_at = now() + (
            SELECT r.days * interval '1 day' FROM retention r
            WHERE r.account_id = '65f1a' || :account AND r.resource = 'contact_list'
        )
    WHERE l.account_id = '65f1a' || :account AND l.id = 'cl-00000000-0000-4000-8000-' || :list AND l.deleted_at IS NULL
      AND NOT EXISTS (
          SELECT FROM campaign_contact_lists a
          WHERE a.account_id = l.account_id AND a.list_id = l.id AND a.list_live
      )
    RETURNING *
), entry AS (
    INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client, request_id, at,
                        row_ids, versions)
    SELECT account_id, deletion_id, 'contact_list', stream_id, 'deleted', deleted_by,
           'cs-00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', deleted_at, ARRAY[id],
           ARRAY[version]
    FROM trashed
)
SELECT * FROM trashed;
COMMIT;
