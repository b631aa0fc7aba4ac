-- Commitments on their way into the log, and where each one came to stand.
-- tenant_id is the all-zero id for the operator's own events.

CREATE TABLE ledger_pending (
    tenant_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    entry bytea NOT NULL,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT ledger_pending_pkey PRIMARY KEY (tenant_id, entry_id)
);

CREATE TABLE ledger_leaves (
    tenant_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    leaf_index bigint NOT NULL,
    entry bytea NOT NULL,
    CONSTRAINT ledger_leaves_pkey PRIMARY KEY (tenant_id, entry_id)
);
CREATE INDEX ledger_leaves_leaf_index ON ledger_leaves (leaf_index);

-- One row: how many leaves are numbered, and under which name the log signs.
CREATE TABLE ledger_state (
    singleton boolean NOT NULL DEFAULT true CONSTRAINT ledger_state_pkey PRIMARY KEY CONSTRAINT ledger_state_one CHECK (singleton),
    origin text NOT NULL,
    size bigint NOT NULL DEFAULT 0
);

CREATE TABLE ledger_checkpoints (
    size bigint NOT NULL CONSTRAINT ledger_checkpoints_pkey PRIMARY KEY,
    root bytea NOT NULL,
    note text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE ledger_pending ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE ledger_leaves ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON ledger_pending TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON ledger_pending TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON ledger_leaves TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON ledger_leaves TO bailee_operator USING (true) WITH CHECK (true);

GRANT INSERT ON ledger_pending TO bailee_tenant;
GRANT SELECT ON ledger_leaves TO bailee_tenant;
GRANT SELECT, INSERT, DELETE ON ledger_pending TO bailee_operator;
GRANT SELECT, INSERT ON ledger_leaves TO bailee_operator;
GRANT SELECT, INSERT, UPDATE ON ledger_state TO bailee_operator;
GRANT SELECT, INSERT ON ledger_checkpoints TO bailee_operator;
