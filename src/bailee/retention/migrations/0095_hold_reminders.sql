-- Before the end of a hold those who may extend it are told: what they were told last, in days before its last day.

ALTER TABLE legal_holds ADD COLUMN reminded_days bigint;
GRANT UPDATE (reminded_days) ON legal_holds TO bailee_operator;

-- What waits for a second person, across customers.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX legal_holds_waiting ON legal_holds (hold_id) WHERE state = 'requested' OR change <> '';
