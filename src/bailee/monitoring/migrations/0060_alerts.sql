-- Alerts, and how far the events have been looked through. tenant_id is the all-zero id for what concerns the operator
-- alone, or several tenants at once.

CREATE TABLE alerts (
    tenant_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    title text NOT NULL,
    level text NOT NULL
    CONSTRAINT alerts_level CHECK (level IN ('informational', 'low', 'medium', 'high', 'critical')),
    digest bytea NOT NULL,
    grouped_by jsonb NOT NULL,
    reason text NOT NULL,
    status text NOT NULL CONSTRAINT alerts_status CHECK (status IN ('open', 'acknowledged', 'closed')),
    assignee uuid,
    resolution text,
    matches bigint NOT NULL,
    metric double precision,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    closed_by text,
    CONSTRAINT alerts_pkey PRIMARY KEY (tenant_id, alert_id)
);
CREATE UNIQUE INDEX alerts_one_open ON alerts (tenant_id, digest) WHERE status <> 'closed';
CREATE INDEX alerts_newest ON alerts (alert_id DESC);

CREATE TABLE alert_events (
    tenant_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    event_id uuid NOT NULL,
    CONSTRAINT alert_events_pkey PRIMARY KEY (tenant_id, alert_id, event_id),
    CONSTRAINT alert_events_alert_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id)
);

CREATE TABLE alert_notes (
    tenant_id uuid NOT NULL,
    note_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    author text NOT NULL,
    note text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alert_notes_pkey PRIMARY KEY (tenant_id, note_id),
    CONSTRAINT alert_notes_alert_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id)
);
CREATE INDEX alert_notes_by_alert ON alert_notes (tenant_id, alert_id, note_id);

CREATE TABLE alert_suppressions (
    tenant_id uuid NOT NULL,
    suppression_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    title text NOT NULL,
    digest bytea,
    reason text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    matches bigint NOT NULL DEFAULT 0,
    CONSTRAINT alert_suppressions_pkey PRIMARY KEY (tenant_id, suppression_id)
);

ALTER TABLE alerts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON alerts TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON alerts TO bailee_operator USING (true) WITH CHECK (true);
ALTER TABLE alert_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON alert_events TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON alert_events TO bailee_operator USING (true) WITH CHECK (true);
ALTER TABLE alert_notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON alert_notes TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON alert_notes TO bailee_operator USING (true) WITH CHECK (true);
ALTER TABLE alert_suppressions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON alert_suppressions TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON alert_suppressions TO bailee_operator USING (true) WITH CHECK (true);

GRANT SELECT, UPDATE ON alerts TO bailee_tenant;
GRANT SELECT ON alert_events TO bailee_tenant;
GRANT SELECT, INSERT ON alert_notes TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON alert_suppressions TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON alerts, alert_suppressions TO bailee_operator;
GRANT SELECT, INSERT ON alert_events, alert_notes TO bailee_operator;

-- One row: the number of the next leaf to look at.
CREATE TABLE detector_state (
    singleton boolean NOT NULL DEFAULT true CONSTRAINT detector_state_pkey PRIMARY KEY
    CONSTRAINT detector_state_one CHECK (singleton),
    next_leaf bigint NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT now()
);

-- From where somebody was seen to act, and how much they usually do. Of accounts and keys, never of data subjects.
CREATE TABLE familiar (
    kind text NOT NULL,
    who text NOT NULL,
    what text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT familiar_pkey PRIMARY KEY (kind, who, what)
);
CREATE TABLE usual_volumes (
    who text NOT NULL,
    what text NOT NULL,
    since timestamptz NOT NULL,
    bucket bigint NOT NULL,
    amount double precision NOT NULL,
    spread bigint [] NOT NULL,
    CONSTRAINT usual_volumes_pkey PRIMARY KEY (who, what)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON detector_state, familiar, usual_volumes TO bailee_operator;
