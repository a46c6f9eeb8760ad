-- Deletions, undos and restores as they were asked for, how far they are and
-- what became of each thing. Kept for a time: what changed is in the ledger for
-- ever. Identifiers and filters can be personal data, and are sealed.
CREATE TABLE deletions (
    account_id    text COLLATE "C" NOT NULL,
    id            uuid NOT NULL,
    action        text COLLATE "C" NOT NULL CHECK (action IN ('delete', 'undo', 'restore', 'purge')),
    resource      text COLLATE "C" NOT NULL,
    -- The stream or record list that the things belong to; empty for the account's own.
    within        text COLLATE "C" NOT NULL,
    mode          text COLLATE "C" NOT NULL CHECK (mode IN ('soft', 'hard')),
    atomic        boolean NOT NULL,
    on_multiple   text COLLATE "C" NOT NULL CHECK (on_multiple IN ('all', 'fail')),
    allow_missing boolean NOT NULL,
    max_affected  bigint,
    note          text,
    -- What an undo undoes.
    undoes        uuid,
    -- Which things, where they were not named one by one.
    sealed_filter bytea,
    state         text COLLATE "C" NOT NULL
        CHECK (state IN ('receiving', 'queued', 'running', 'succeeded', 'partial', 'failed', 'cancelled')),
    cancel_asked  boolean NOT NULL DEFAULT false,
    -- How many things were asked for. NULL while nobody knows: a filter tells it at its end.
    requested     bigint,
    succeeded     bigint NOT NULL DEFAULT 0,
    failed        bigint NOT NULL DEFAULT 0,
    rows_affected bigint NOT NULL DEFAULT 0,
    -- How often each word was said.
    reasons       json NOT NULL DEFAULT '{}',
    -- Where the next batch begins.
    place         text COLLATE "C" NOT NULL DEFAULT '',
    -- The word for why it ended before its end.
    failure       text COLLATE "C",
    actor_user    text COLLATE "C" NOT NULL,
    actor_client  text COLLATE "C" NOT NULL,
    request_id    text COLLATE "C" NOT NULL,
    created_at    timestamptz NOT NULL,
    started_at    timestamptz,
    finished_at   timestamptz,
    -- Until when what it took is surely in the trash. NULL where nothing is ever purged.
    undo_until    timestamptz,
    PRIMARY KEY (account_id, id)
);

CREATE INDEX deletions_by_creation ON deletions (account_id, created_at);
CREATE INDEX deletions_under_way ON deletions (account_id, created_at)
    WHERE finished_at IS NULL;

-- A part of a deletion: at most 1,000 things that were asked for, in their
-- order, and what became of them.
CREATE TABLE deletion_chunks (
    account_id     text COLLATE "C" NOT NULL,
    deletion_id    uuid NOT NULL,
    -- Things are counted from 1.
    first_position bigint NOT NULL,
    items          integer NOT NULL CHECK (items BETWEEN 1 AND 1000),
    -- The identifiers as they were sent. NULL where the service found the things.
    sealed_items   bytea,
    -- A word for each thing; NULL until it is known.
    reasons        text[],
    -- The rows that went for each thing, one thing's after the other's.
    row_counts     integer[],
    row_ids        text[],
    -- What else there is to say of a thing, by its place in the chunk: blockers, the row that is in the way.
    details        json,
    PRIMARY KEY (account_id, deletion_id, first_position),
    FOREIGN KEY (account_id, deletion_id) REFERENCES deletions (account_id, id),
    CONSTRAINT deletion_chunks_words_pair CHECK (
        num_nulls(reasons, row_counts, row_ids) IN (0, 3)
        AND (reasons IS NULL OR (cardinality(reasons) = items AND cardinality(row_counts) = items))
    )
);

CREATE INDEX deletion_chunks_to_do ON deletion_chunks (account_id, deletion_id, first_position)
    WHERE reasons IS NULL;

ALTER TABLE deletions ENABLE ROW LEVEL SECURITY;
ALTER TABLE deletions FORCE ROW LEVEL SECURITY;
ALTER TABLE deletion_chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE deletion_chunks FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON deletions
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY tenant ON deletion_chunks
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));

GRANT SELECT, INSERT, UPDATE, DELETE ON deletions, deletion_chunks TO expunge_app, expunge_worker;
