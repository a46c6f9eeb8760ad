-- Moves contact lists of any accounts into the trash, each by a deletion of its own, in one round trip and one
-- transaction, as trash_contacts does with contacts. A list is locked first; whether a campaign is attached to it is
-- looked up by a later statement, which sees what was attached before the lock. A list that is not there, is in the trash
-- already, is locked by anybody or has a campaign attached is left alone.
--
-- Answers the lists that went as they were before, with the number of people on them.
CREATE FUNCTION trash_contact_lists(
    patience text, accounts text[], firsts integer[], lasts integer[], streams text[], ids text[], deletions uuid[],
    times timestamptz[], users text[], clients text[], requests text[]
)
RETURNS TABLE (place integer, list contact_lists, members bigint)
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    account text COLLATE "C";
    locked text[] COLLATE "C";
    f integer;
    l integer;
BEGIN
    PERFORM set_config('lock_timeout', patience, true);
    FOR n IN 1 .. cardinality(accounts) LOOP
        account := accounts[n];
        f := firsts[n];
        l := lasts[n];
        PERFORM set_config('app.account_id', account, true);
        locked := ARRAY(
            SELECT c.id
            FROM public.contact_lists c
            WHERE c.account_id = account AND c.id = ANY (ids[f:l]) AND c.deleted_at IS NULL
            ORDER BY c.id
            FOR UPDATE SKIP LOCKED
        );
        RETURN QUERY
        WITH asked AS MATERIALIZED (
            SELECT a.id COLLATE "C" AS id, a.stream_id COLLATE "C" AS stream_id, a.deletion_id, a.at, a.by, a.client,
                   a.request, f + a.ordinality::integer - 1 AS place
            FROM unnest(streams[f:l], ids[f:l], deletions[f:l], times[f:l], users[f:l], clients[f:l], requests[f:l])
                 WITH ORDINALITY AS a (stream_id, id, deletion_id, at, by, client, request, ordinality)
        ), free AS MATERIALIZED (
            SELECT asked, before
            FROM asked
            JOIN public.contact_lists before
              ON before.account_id = account AND before.id = asked.id AND before.stream_id = asked.stream_id
            WHERE asked.id = ANY (locked) AND NOT EXISTS (
                SELECT FROM public.campaign_contact_lists a
                WHERE a.account_id = account AND a.list_id = asked.id AND a.list_live
            )
        ), trashed AS (
            UPDATE public.contact_lists c
            SET deleted_at = (asked).at, deleted_by = (asked).by, deletion_id = (asked).deletion_id,
                updated_at = (asked).at, version = c.version + 1,
                purge_at = (asked).at + (
                    SELECT r.days * interval '1 day' FROM public.retention r
                    WHERE r.account_id = account AND r.resource = 'contact_list'
                )
            FROM free
            WHERE c.account_id = account AND c.id = (asked).id AND c.deleted_at IS NULL
            RETURNING (asked).place, (asked).client, (asked).request, before, c AS after
        ), entry AS (
            INSERT INTO public.ledger (account_id, deletion_id, resource, within, action, actor_user, actor_client,
                                       request_id, at, row_ids, versions)
            SELECT account, (t.after).deletion_id, 'contact_list', (t.after).stream_id, 'deleted', (t.after).deleted_by,
                   t.client, t.request, (t.after).deleted_at, ARRAY[(t.after).id], ARRAY[(t.after).version]
            FROM trashed t
        )
        SELECT t.place, t.before, (
            SELECT count(*) FROM public.contact_list_members m
            WHERE m.account_id = account AND m.list_id = (t.before).id AND m.deleted_at IS NULL
        )
        FROM trashed t;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION trash_contact_lists(
    text, text[], integer[], integer[], text[], text[], uuid[], timestamptz[], text[], text[], text[]
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trash_contact_lists(
    text, text[], integer[], integer[], text[], text[], uuid[], timestamptz[], text[], text[], text[]
) TO expunge_app;
