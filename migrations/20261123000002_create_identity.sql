CREATE TABLE accounts (
    account_id text COLLATE "C" NOT NULL,
    org_id     text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id)
);

CREATE TABLE streams (
    account_id text COLLATE "C" NOT NULL,
    stream_id  text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, stream_id),
    FOREIGN KEY (account_id) REFERENCES accounts (account_id)
);

CREATE TABLE clients (
    account_id     text COLLATE "C" NOT NULL,
    client_id      text COLLATE "C" NOT NULL,
    name           text NOT NULL,
    -- Who the rows that this client writes are said to be written by.
    agent_id       text COLLATE "C" NOT NULL,
    user_id        text COLLATE "C" NOT NULL,
    scopes         text[] NOT NULL,
    -- The secret, encrypted with the service's key; the key is not in the database.
    sealed_secret  bytea NOT NULL,
    expiry_optional boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL,
    rotated_at     timestamptz,
    revoked_at     timestamptz,
    PRIMARY KEY (account_id, client_id),
    FOREIGN KEY (account_id) REFERENCES accounts (account_id)
);

-- A token names its client and no account, so a client is found by its id alone.
CREATE UNIQUE INDEX clients_by_client_id ON clients (client_id);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE streams ENABLE ROW LEVEL SECURITY;
ALTER TABLE streams FORCE ROW LEVEL SECURITY;
ALTER TABLE clients ENABLE ROW LEVEL SECURITY;
ALTER TABLE clients FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON accounts
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON streams
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON clients
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

-- Operators manage identity as the owner; sign_in reads it with the owner's rights.
CREATE POLICY operator ON accounts TO CURRENT_USER USING (true);
CREATE POLICY operator ON streams TO CURRENT_USER USING (true);
CREATE POLICY operator ON clients TO CURRENT_USER USING (true);

-- The only way from a client's id to its account. Says of the streams asked
-- about only whether all of them are the account's.
CREATE FUNCTION sign_in(asked_client text, asked_streams text[])
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
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''
AS $$
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
    WHERE c.client_id = asked_client AND c.revoked_at IS NULL
$$;

REVOKE ALL ON FUNCTION sign_in(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sign_in(text, text[]) TO expunge_app;
