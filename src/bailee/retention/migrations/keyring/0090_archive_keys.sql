-- Each legal hold has an archive key of its own.
-- squawk-ignore ban-drop-constraint
ALTER TABLE data_keys DROP CONSTRAINT data_keys_purpose;
ALTER TABLE data_keys ADD CONSTRAINT data_keys_purpose
CHECK (purpose IN ('subject', 'general', 'index', 'archive')) NOT VALID;
