-- An erasure that waits: everything is erased but what the archive holds of the person.
ALTER TABLE erasures ADD COLUMN erased jsonb;
ALTER TABLE erasures ADD COLUMN waits_until date;
ALTER TABLE erasures ADD COLUMN bases text [] NOT NULL DEFAULT '{}';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX erasures_waiting ON erasures (tenant_id, holder) WHERE completed_at IS NULL;
