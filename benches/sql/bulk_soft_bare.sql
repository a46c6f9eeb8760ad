-- Many contacts into the trash: the one statement that changes the rows, and nothing else.
\set k :k + 1
\set account 1000000000000000000 + :client_id % :accounts
\set base 1000000000000000000 + (:client_id % :accounts) * 1000000
\set start (:client_id / :accounts * :per_client + :k) * :size
UPDATE contacts
SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(), updated_at = now(), version = version + 1
WHERE account_id = '65f1a' || :account AND deleted_at IS NULL
  AND id = ANY (ARRAY(SELECT '65f1a' || (:base::bigint + (:start::bigint + j) * 7919 % :rows::bigint) FROM generate_series(0, :size::bigint - 1) j))
RETURNING id, version;
