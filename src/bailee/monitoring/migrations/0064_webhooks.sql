-- Where alerts, notices and support cases are sent to by HTTPS. tenant_id is the all-zero id for the operator's own.

CREATE TABLE webhooks (
    tenant_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    url text NOT NULL,
    topics text [] NOT NULL,
    secret bytea NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz,
    CONSTRAINT webhooks_pkey PRIMARY KEY (tenant_id, webhook_id)
);

-- What is on its way, and for thirty days what became of it. Bodies hold facts of alerts and notices, never records.
CREATE TABLE webhook_deliveries (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    topic text NOT NULL,
    body bytea NOT NULL,
    state text NOT NULL DEFAULT 'waiting'
    CONSTRAINT webhook_deliveries_state CHECK (state IN ('waiting', 'delivered', 'dead')),
    attempts bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (tenant_id, delivery_id),
    CONSTRAINT webhook_deliveries_webhook_fkey FOREIGN KEY (tenant_id, webhook_id)
    REFERENCES webhooks (tenant_id, webhook_id)
);
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (tenant_id, delivery_id DESC);
CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (created_at);

ALTER TABLE webhooks ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE webhook_deliveries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON webhooks TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON webhooks TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON webhook_deliveries TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON webhook_deliveries TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON webhooks, webhook_deliveries TO bailee_tenant, bailee_operator;
GRANT DELETE ON webhook_deliveries TO bailee_operator;

-- Whether an alert was written about: what was not, for quiet hours or a flood, is summed up later.
ALTER TABLE alerts ADD COLUMN mailed_at timestamptz;
ALTER TABLE alerts NO FORCE ROW LEVEL SECURITY;
UPDATE alerts SET mailed_at = opened_at;
ALTER TABLE alerts FORCE ROW LEVEL SECURITY;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX alerts_not_mailed ON alerts (tenant_id) WHERE mailed_at IS NULL AND level = 'high';
