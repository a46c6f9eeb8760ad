-- Many contacts into the trash as the service does it: row security, locks in the order of the ids, the stamp of the
-- retention, the ledger, and the deletion with the identifiers that were sent and their outcomes, kept for a month.
\set k :k + 1
\set account 1000000000000000000 + :client_id % :accounts
\set base 1000000000000000000 + (:client_id % :accounts) * 1000000
\set start (:client_id / :accounts * :per_client + :k) * :size
BEGIN;
SELECT set_config('app.account_id', '65f1a' || :account, true), set_config('lock_timeout', '2000ms', true),
       set_config('bench.deletion', gen_random_uuid()::text, true);
WITH locked AS MATERIALIZED (
    SELECT id FROM contacts
    WHERE account_id = '65f1a' || :account AND deleted_at IS NULL
      AND id = ANY (ARRAY(SELECT '65f1a' || (:base::bigint + (:start::bigint + j) * 7919 % :rows::bigint) FROM generate_series(0, :size::bigint - 1) j))
    ORDER BY id
    FOR UPDATE
), trashed AS (
    UPDATE contacts
    SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = current_setting('bench.deletion')::uuid,
        updated_at = now(), version = version + 1,
        purge_at = now() + (
            SELECT r.days * interval '1 day' FROM retention r
            WHERE r.account_id = '65f1a' || :account AND r.resource = 'contact'
        )
    WHERE account_id = '65f1a' || :account AND id = ANY (ARRAY(SELECT id FROM locked))
    RETURNING id, version
), packed AS (
    SELECT array_agg(id) AS ids, array_agg(version) AS versions, count(*)::int AS rows FROM trashed
), entry AS (
    INSERT INTO ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client, request_id, at,
                        row_ids, versions)
    SELECT '65f1a' || :account, current_setting('bench.deletion')::uuid, 'contact',
           'st-00000000-0000-4000-8000-000000000000', 'deleted', 'u-bench', 'cs-00000000-0000-0000-0000-000000000000',
           '00000000-0000-0000-0000-000000000000', now(), ids, versions
    FROM packed
), kept AS (
    INSERT INTO deletions (account_id, id, action, resource, within, mode, atomic, on_multiple, allow_missing, state,
                           requested, succeeded, rows_affected, actor_user, actor_client, request_id, created_at,
                           started_at, finished_at)
    SELECT '65f1a' || :account, current_setting('bench.deletion')::uuid, 'delete', 'contact',
           'st-00000000-0000-4000-8000-000000000000', 'soft', false, 'all', false, 'succeeded', rows, rows, rows,
           'u-bench', 'cs-00000000-0000-0000-0000-000000000000', '00000000-0000-0000-0000-000000000000', now(), now(),
           now()
    FROM packed
), chunk AS (
    INSERT INTO deletion_chunks (account_id, deletion_id, first_position, items, sealed_items, reasons, row_counts,
                                 row_ids)
    SELECT '65f1a' || :account, current_setting('bench.deletion')::uuid, 1, rows,
           (SELECT sealed FROM bench.sealed WHERE items = :size::bigint), array_fill('DELETED'::text, ARRAY[rows]),
           array_fill(1, ARRAY[rows]), ids
    FROM packed
)
SELECT ids FROM packed;
COMMIT;
