-- Floors set by law, ceilings set by contract; collection * is for all of them.

CREATE TABLE retention_limits (
    tenant_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT retention_limits_kind CHECK (kind IN ('floor', 'ceiling')),
    collection text NOT NULL,
    duration text NOT NULL,
    basis text NOT NULL,
    set_by text NOT NULL,
    set_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT retention_limits_pkey PRIMARY KEY (tenant_id, kind, collection),
    CONSTRAINT retention_limits_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);

-- When the rules of a collection were last executed to the end: what is due is not left lying.
CREATE TABLE retention_runs (
    tenant_id uuid NOT NULL,
    collection text NOT NULL,
    ran_at timestamptz NOT NULL,
    CONSTRAINT retention_runs_pkey PRIMARY KEY (tenant_id, collection)
);

ALTER TABLE retention_limits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE retention_runs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON retention_limits TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON retention_runs TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON retention_runs TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON retention_limits, retention_runs TO bailee_tenant;
GRANT SELECT ON retention_runs TO bailee_operator;

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX records_by_creation ON records (tenant_id, collection, created_at);
