-- Records by external reference into the trash: the one statement that changes the rows, and nothing else.
\set k :k + 1
\set account 1000000000000000000 + :client_id % :accounts
\set list 100000000000 + :client_id
\set base 12000000000 + :client_id * 1000000
\set start :k * :size
UPDATE records
SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(), updated_at = now(), version = version + 1
WHERE account_id = '65f1a' || :account AND record_list_id = ('00000000-0000-4000-8000-' || :list)::uuid
  AND deleted_at IS NULL
  AND id = ANY (ARRAY(
        SELECT r.id FROM records r
        WHERE r.account_id = '65f1a' || :account AND r.record_list_id = ('00000000-0000-4000-8000-' || :list)::uuid
          AND r.external_provider = 'crm'
          AND r.external_id = ANY (ARRAY(SELECT (:base::bigint + :start::bigint + j)::text FROM generate_series(0, :size::bigint - 1) j))
      ))
RETURNING id, version;
