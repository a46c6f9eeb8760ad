-- One contact list into the trash: the one statement that changes the row, and nothing else.
\set k :k + 1
\set i :client_id * :per_client + :k
\set account 1000000000000000000 + :i % :accounts
\set list 100000000000 + :i % :accounts * 1000000 + :i / :accounts
UPDATE contact_lists
SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(), updated_at = now(), version = version + 1
WHERE account_id = '65f1a' || :account AND id = 'cl-00000000-0000-4000-8000-' || :list AND deleted_at IS NULL
RETURNING id, version;
