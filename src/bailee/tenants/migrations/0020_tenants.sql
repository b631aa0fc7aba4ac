CREATE TABLE tenants (
    tenant_id uuid NOT NULL CONSTRAINT tenants_pkey PRIMARY KEY,
    name text NOT NULL,
    plan text NOT NULL,
    state text NOT NULL CONSTRAINT tenants_state CHECK (state IN ('active', 'suspended', 'terminating', 'terminated')),
    kind text NOT NULL CONSTRAINT tenants_kind CHECK (kind IN ('customer', 'probe')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON tenants TO bailee_operator USING (true) WITH CHECK (true);

GRANT SELECT ON tenants TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON tenants TO bailee_operator;
