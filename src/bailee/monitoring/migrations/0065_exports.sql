-- How far each export to a SIEM has come: the next leaf, and the end of the batch that is being sent.
CREATE TABLE event_exports (
    name text NOT NULL CONSTRAINT event_exports_pkey PRIMARY KEY,
    next_leaf bigint NOT NULL,
    pending_until bigint,
    sent bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, UPDATE ON event_exports TO bailee_operator;
