-- Events, as canonical JSON with the salt of their commitment. Inserted, read, and forgotten by retention; never updated.

CREATE TABLE events (
    tenant_id uuid NOT NULL,
    event_id uuid NOT NULL,
    occurred_at timestamptz NOT NULL,
    action text NOT NULL,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    outcome text NOT NULL,
    body bytea NOT NULL,
    salt bytea NOT NULL,
    CONSTRAINT events_pkey PRIMARY KEY (tenant_id, event_id)
);
CREATE INDEX events_newest ON events (event_id DESC);
CREATE INDEX events_by_action ON events (tenant_id, action, event_id DESC);

ALTER TABLE events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON events TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON events TO bailee_operator USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON events TO bailee_tenant, bailee_operator;
