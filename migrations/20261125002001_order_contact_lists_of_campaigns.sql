-- A campaign answers its contact lists in the order in which they were named.
ALTER TABLE campaign_contact_lists ADD COLUMN position smallint NOT NULL DEFAULT 0;
