-- One contact into the trash: the one statement that changes the row, and nothing else.
\set k :k + 1
\set i :client_id * :per_client + :k
\set account 1000000000000000000 + :first_account + :i % :accounts
\set id 1000000000000000000 + (:first_account + :i % :accounts) * 1000000 + (:i / :accounts) * 7919 % :rows
UPDATE contacts
SET deleted_at = now(), deleted_by = 'u-bench', deletion_id = gen_random_uuid(), updated_at = now(), version = version + 1
WHERE account_id = '65f1a' || :account AND id = '65f1a' || :id AND deleted_at IS NULL
RETURNING id, version;
