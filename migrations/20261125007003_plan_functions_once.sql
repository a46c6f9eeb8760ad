-- A function in SQL is planned anew each time it is called, one in PL/pgSQL once for each connection. These are called
-- for every second of every caller's and for every batch.

CREATE OR REPLACE FUNCTION sign_in(asked_client text, asked_streams text[])
RETURNS TABLE (
    account_id text,
    org_id text,
    agent_id text,
    user_id text,
    scopes text[],
    sealed_secret bytea,
    expiry_optional boolean,
    streams_known boolean
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ''
AS $$
BEGIN
    RETURN QUERY
    SELECT c.account_id, a.org_id, c.agent_id, c.user_id, c.scopes, c.sealed_secret, c.expiry_optional,
           NOT EXISTS (
               SELECT FROM unnest(asked_streams) AS asked (stream_id)
               WHERE NOT EXISTS (
                   SELECT FROM public.streams s
                   WHERE s.account_id = c.account_id AND s.stream_id = asked.stream_id
               )
           )
    FROM public.clients c
    JOIN public.accounts a ON a.account_id = c.account_id
    WHERE c.client_id = asked_client AND c.revoked_at IS NULL;
END
$$;

CREATE OR REPLACE FUNCTION next_job(now timestamptz)
RETURNS TABLE (account_id text, id uuid, kind text, failures integer, batches integer)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
BEGIN
    RETURN QUERY
    SELECT j.account_id, j.id, j.kind, j.failures, j.batches
    FROM public.jobs j
    JOIN (SELECT s.account_id, max(s.served_at) AS served_at FROM public.jobs s GROUP BY s.account_id) AS account
      ON account.account_id = j.account_id
    WHERE j.due_at <= now
    ORDER BY account.served_at, j.served_at, j.id
    LIMIT 1
    FOR UPDATE OF j SKIP LOCKED;
END
$$;
