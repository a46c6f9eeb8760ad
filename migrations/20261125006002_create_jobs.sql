-- What is to be done in the background, whosever it is: the one table that
-- workers see across accounts, by next_job() alone. Holds ids, no personal data.
CREATE TABLE jobs (
    account_id text COLLATE "C" NOT NULL,
    -- The deletion; of an account's upkeep, its job's own id.
    id         uuid NOT NULL,
    kind       text COLLATE "C" NOT NULL CHECK (kind IN ('deletion', 'upkeep')),
    due_at     timestamptz NOT NULL,
    -- When a batch of it was last done: the account that has waited longest is next. What
    -- is new does not make its account wait longer.
    served_at  timestamptz NOT NULL DEFAULT '-infinity',
    -- How often it failed in a row.
    failures   integer NOT NULL DEFAULT 0,
    -- How many batches this run has done: upkeep ends a run in time.
    batches    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, id)
);

CREATE UNIQUE INDEX jobs_one_upkeep ON jobs (account_id) WHERE kind = 'upkeep';

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON jobs
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY operator ON jobs TO CURRENT_USER USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO expunge_app, expunge_worker;

-- The next job that nobody is at, locked until the caller's transaction ends.
CREATE FUNCTION next_job(now timestamptz)
RETURNS TABLE (account_id text, id uuid, kind text, failures integer, batches integer)
LANGUAGE sql
VOLATILE
SECURITY DEFINER
SET search_path = ''
AS $$
    SELECT j.account_id, j.id, j.kind, j.failures, j.batches
    FROM public.jobs j
    JOIN (SELECT s.account_id, max(s.served_at) AS served_at FROM public.jobs s GROUP BY s.account_id) AS account
      ON account.account_id = j.account_id
    WHERE j.due_at <= now
    ORDER BY account.served_at, j.served_at, j.id
    LIMIT 1
    FOR UPDATE OF j SKIP LOCKED
$$;
REVOKE ALL ON FUNCTION next_job(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_job(timestamptz) TO expunge_app, expunge_worker;
