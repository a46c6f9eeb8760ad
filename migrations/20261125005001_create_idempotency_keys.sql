-- What was asked under an idempotency key, and what was answered. The unique
-- index is the lock: whoever inserts the row does what is asked. It is kept for a
-- time and then dropped. Key and request are there as keyed hashes, and the
-- answer is sealed with the client's key and the service's: nothing of it can be
-- read from the table.
CREATE TABLE idempotency_keys (
    account_id  text COLLATE "C" NOT NULL,
    client_id   text COLLATE "C" NOT NULL,
    key_hash    bytea NOT NULL,
    fingerprint bytea NOT NULL,
    -- Both absent while what was asked is under way in several transactions.
    status      smallint,
    answer      bytea,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (account_id, client_id, key_hash),
    CONSTRAINT idempotency_keys_answer_is_whole CHECK ((status IS NULL) = (answer IS NULL))
);

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (account_id, expires_at);

ALTER TABLE idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON idempotency_keys
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_keys TO expunge_app;
GRANT SELECT, DELETE ON idempotency_keys TO expunge_worker;
