-- Since when an erased person was there: with that the rotation calendar says which backups still hold it.
ALTER TABLE erasures ADD COLUMN subject_since timestamptz;
