-- As campaign_contact_lists: an attachment holds while both sides are live, and
-- a trashed campaign lets go by setting both halves to NULL.
CREATE TABLE campaign_record_lists (
    account_id     text COLLATE "C" NOT NULL,
    campaign_id    text COLLATE "C" NOT NULL,
    record_list_id uuid NOT NULL,
    campaign_live  boolean DEFAULT true CHECK (campaign_live),
    list_live      boolean DEFAULT true CHECK (list_live),
    PRIMARY KEY (account_id, campaign_id, record_list_id),
    CONSTRAINT campaign_record_lists_live_campaign
        FOREIGN KEY (account_id, campaign_id, campaign_live) REFERENCES campaigns (account_id, id, live),
    CONSTRAINT campaign_record_lists_live_list
        FOREIGN KEY (account_id, record_list_id, list_live) REFERENCES record_lists (account_id, id, live),
    CONSTRAINT campaign_record_lists_let_go_whole
        CHECK (num_nulls(campaign_live, list_live) IN (0, 2))
);

CREATE INDEX campaign_record_lists_by_list ON campaign_record_lists (account_id, record_list_id, list_live);

ALTER TABLE campaign_record_lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE campaign_record_lists FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON campaign_record_lists
    USING (account_id = (SELECT NULLIF(current_setting('app.account_id', true), '')));
CREATE POLICY only_trash_is_removed ON campaign_record_lists AS RESTRICTIVE FOR DELETE
    USING (list_live IS NULL);

GRANT SELECT, INSERT, UPDATE, DELETE ON campaign_record_lists TO expunge_app;
GRANT SELECT, UPDATE, DELETE ON campaign_record_lists TO expunge_worker;
