-- Moves contacts of any accounts into the trash, each by a deletion of its own, in one round trip and one transaction:
-- what many callers delete at the same moment. Runs as its caller and sees one account after the other, so that row
-- security holds here as everywhere.
--
-- The arrays have an entry for each contact, those of an account next to each other: those of accounts[n] are the ones
-- from firsts[n] to lasts[n]. Answers the contacts that went, with their places in the arrays. A contact that is not
-- there, is in the trash already or is locked by anybody is left alone: what is to be said of it is not decided here.
-- No row is waited for, and a table that somebody has locked no longer than `patience`.
CREATE FUNCTION trash_contacts(
    patience text, accounts text[], firsts integer[], lasts integer[], streams text[], ids text[], deletions uuid[],
    times timestamptz[], users text[], clients text[], requests text[]
)
RETURNS TABLE (place integer, contact contacts)
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    account text COLLATE "C";
    f integer;
    l integer;
BEGIN
    PERFORM set_config('lock_timeout', patience, true);
    FOR n IN 1 .. cardinality(accounts) LOOP
        account := accounts[n];
        f := firsts[n];
        l := lasts[n];
        PERFORM set_config('app.account_id', account, true);
        RETURN QUERY
        WITH asked AS MATERIALIZED (
            SELECT a.id COLLATE "C" AS id, a.stream_id COLLATE "C" AS stream_id, a.deletion_id, a.at, a.by, a.client,
                   a.request, f + a.ordinality::integer - 1 AS place
            FROM unnest(streams[f:l], ids[f:l], deletions[f:l], times[f:l], users[f:l], clients[f:l], requests[f:l])
                 WITH ORDINALITY AS a (stream_id, id, deletion_id, at, by, client, request, ordinality)
        ), locked AS MATERIALIZED (
            SELECT c.id, c.stream_id
            FROM public.contacts c
            WHERE c.account_id = account AND c.id = ANY (ids[f:l]) AND c.deleted_at IS NULL
            ORDER BY c.id
            FOR UPDATE SKIP LOCKED
        ), trashed AS (
            UPDATE public.contacts c
            SET deleted_at = asked.at, deleted_by = asked.by, deletion_id = asked.deletion_id, updated_at = asked.at,
                version = c.version + 1,
                purge_at = asked.at + (
                    SELECT r.days * interval '1 day' FROM public.retention r
                    WHERE r.account_id = account AND r.resource = 'contact'
                )
            FROM locked
            JOIN asked ON asked.id = locked.id AND asked.stream_id = locked.stream_id
            WHERE c.account_id = account AND c.id = locked.id AND c.deleted_at IS NULL
            RETURNING asked.place, asked.client, asked.request, c AS contact
        ), entry AS (
            INSERT INTO public.ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client,
                                       request_id, at, row_ids, versions)
            SELECT account, (t.contact).deletion_id, 'contact', (t.contact).stream_id, 'deleted', (t.contact).deleted_by,
                   t.client, t.request, (t.contact).deleted_at, ARRAY[(t.contact).id], ARRAY[(t.contact).version]
            FROM trashed t
        )
        SELECT t.place, t.contact FROM trashed t;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION trash_contacts(
    text, text[], integer[], integer[], text[], text[], uuid[], timestamptz[], text[], text[], text[]
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trash_contacts(
    text, text[], integer[], integer[], text[], text[], uuid[], timestamptz[], text[], text[], text[]
) TO expunge_app;
