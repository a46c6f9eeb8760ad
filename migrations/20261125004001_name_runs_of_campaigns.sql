-- A campaign's last run, named when it is started and kept when it is stopped.
ALTER TABLE campaigns ADD COLUMN run_id text COLLATE "C";
