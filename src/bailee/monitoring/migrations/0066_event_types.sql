-- The kinds of events that a tenant's own product reports: a closed schema each.
CREATE TABLE event_types (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    title text NOT NULL,
    fields jsonb NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT event_types_pkey PRIMARY KEY (tenant_id, name)
);
ALTER TABLE event_types ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON event_types TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE, DELETE ON event_types TO bailee_tenant;
