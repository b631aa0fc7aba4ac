-- Incidents are the operator's. What a customer is told of one, and what became of it, is in rows of that customer.

CREATE TABLE incidents (
    incident_id uuid NOT NULL CONSTRAINT incidents_pkey PRIMARY KEY,
    number bigint NOT NULL GENERATED ALWAYS AS IDENTITY CONSTRAINT incidents_number_key UNIQUE,
    title text NOT NULL,
    summary text NOT NULL,
    phase text NOT NULL DEFAULT 'identified'
    CONSTRAINT incidents_phase CHECK (phase IN ('identified', 'triaged', 'mitigated', 'investigated', 'closed')),
    impact text NOT NULL CONSTRAINT incidents_impact CHECK (impact IN ('none', 'limited', 'serious', 'severe')),
    extent text NOT NULL CONSTRAINT incidents_extent CHECK (extent IN ('one', 'some', 'many')),
    severity text NOT NULL CONSTRAINT incidents_severity CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    owner uuid,
    deputy uuid,
    exercise boolean NOT NULL,
    subprocessor text NOT NULL,
    subprocessor_reference text NOT NULL,
    breach text NOT NULL DEFAULT 'undecided'
    CONSTRAINT incidents_breach CHECK (breach IN ('undecided', 'verified', 'dismissed')),
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    triaged_at timestamptz,
    mitigated_at timestamptz,
    investigated_at timestamptz,
    closed_at timestamptz,
    cause text NOT NULL DEFAULT '',
    lessons text NOT NULL DEFAULT '',
    version bigint NOT NULL DEFAULT 1
);
CREATE INDEX incidents_unfinished ON incidents (incident_id DESC) WHERE phase <> 'closed';

-- Append-only: nobody is granted more than to read and to add.
CREATE TABLE incident_entries (
    entry_id uuid NOT NULL CONSTRAINT incident_entries_pkey PRIMARY KEY,
    incident_id uuid NOT NULL CONSTRAINT incident_entries_incident_fkey REFERENCES incidents (incident_id),
    at timestamptz NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL,
    author text NOT NULL,
    text text NOT NULL,
    reference text NOT NULL
);
CREATE INDEX incident_entries_in_order ON incident_entries (incident_id, at, entry_id);

CREATE TABLE incident_tasks (
    task_id uuid NOT NULL CONSTRAINT incident_tasks_pkey PRIMARY KEY,
    incident_id uuid NOT NULL CONSTRAINT incident_tasks_incident_fkey REFERENCES incidents (incident_id),
    title text NOT NULL,
    heading text NOT NULL,
    origin text NOT NULL CONSTRAINT incident_tasks_origin CHECK (origin IN ('person', 'playbook', 'lesson')),
    assignee uuid,
    due_at timestamptz,
    done_at timestamptz,
    done_by text
);
CREATE INDEX incident_tasks_in_order ON incident_tasks (incident_id, task_id);

CREATE TABLE incident_attachments (
    attachment_id uuid NOT NULL CONSTRAINT incident_attachments_pkey PRIMARY KEY,
    incident_id uuid NOT NULL CONSTRAINT incident_attachments_incident_fkey REFERENCES incidents (incident_id),
    name text NOT NULL,
    content_type text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    sealed bytea NOT NULL,
    added_by text NOT NULL,
    added_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX incident_attachments_by_incident ON incident_attachments (incident_id, attachment_id);

CREATE TABLE incident_alerts (
    incident_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    alert_id uuid NOT NULL,
    CONSTRAINT incident_alerts_pkey PRIMARY KEY (tenant_id, alert_id, incident_id),
    CONSTRAINT incident_alerts_alert_fkey FOREIGN KEY (tenant_id, alert_id) REFERENCES alerts (tenant_id, alert_id)
);
CREATE INDEX incident_alerts_by_incident ON incident_alerts (incident_id);

CREATE TABLE incident_triggers (
    trigger_id uuid NOT NULL CONSTRAINT incident_triggers_pkey PRIMARY KEY,
    rule_id uuid,
    level text CONSTRAINT incident_triggers_level CHECK (level IN ('low', 'medium', 'high', 'critical')),
    playbook text NOT NULL,
    impact text NOT NULL,
    extent text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT incident_triggers_one CHECK ((rule_id IS NULL) <> (level IS NULL))
);
CREATE UNIQUE INDEX incident_triggers_rule ON incident_triggers (rule_id) WHERE rule_id IS NOT NULL;
CREATE UNIQUE INDEX incident_triggers_any ON incident_triggers ((true)) WHERE rule_id IS NULL;

-- The clock: what has passed is counted, so that a machine's clock that is set back gives nobody more time.
CREATE TABLE breaches (
    incident_id uuid NOT NULL CONSTRAINT breaches_pkey PRIMARY KEY
    CONSTRAINT breaches_incident_fkey REFERENCES incidents (incident_id),
    verified_at timestamptz NOT NULL,
    verified_by text NOT NULL,
    facts text NOT NULL,
    due_at timestamptz NOT NULL,
    counted interval NOT NULL DEFAULT '0',
    ticked_at timestamptz NOT NULL,
    boot text NOT NULL DEFAULT '',
    booted_for double precision NOT NULL DEFAULT 0,
    reminded bigint NOT NULL DEFAULT 0,
    told_at timestamptz
);
CREATE INDEX breaches_running ON breaches (due_at) WHERE told_at IS NULL;

CREATE TABLE incident_reaches (
    reach_id uuid NOT NULL CONSTRAINT incident_reaches_pkey PRIMARY KEY,
    incident_id uuid NOT NULL CONSTRAINT incident_reaches_incident_fkey REFERENCES incidents (incident_id),
    scope jsonb NOT NULL,
    computed_at timestamptz NOT NULL,
    computed_by text NOT NULL,
    events bigint NOT NULL,
    seconds double precision NOT NULL,
    tenants jsonb NOT NULL
);
CREATE INDEX incident_reaches_by_incident ON incident_reaches (incident_id, reach_id DESC);

CREATE TABLE exercises (
    exercise_id uuid NOT NULL CONSTRAINT exercises_pkey PRIMARY KEY,
    incident_id uuid,
    began_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    begun_by text NOT NULL,
    tenants bigint NOT NULL,
    seconds double precision NOT NULL,
    passed boolean NOT NULL,
    faults text [] NOT NULL,
    drill boolean NOT NULL
);

ALTER TABLE incident_alerts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON incident_alerts TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON incident_alerts TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON incidents, incident_tasks, breaches TO bailee_operator;
GRANT SELECT, INSERT ON incident_entries, incident_attachments, incident_alerts, incident_reaches, exercises
TO bailee_operator;
GRANT SELECT, INSERT, DELETE ON incident_triggers TO bailee_operator;

CREATE TABLE notices (
    tenant_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    version bigint NOT NULL,
    number bigint NOT NULL,
    state text NOT NULL CONSTRAINT notices_state CHECK (state IN ('draft', 'approved', 'sent')),
    exercise boolean NOT NULL,
    nature text NOT NULL,
    impact text NOT NULL,
    mitigation_taken text NOT NULL,
    mitigation_planned text NOT NULL,
    contact text NOT NULL,
    late_reason text NOT NULL DEFAULT '',
    verified_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    edited_by text [] NOT NULL,
    edited_at timestamptz NOT NULL DEFAULT now(),
    approved_by text,
    approved_at timestamptz,
    sent_by text,
    sent_at timestamptz,
    first_sent_at timestamptz,
    late boolean NOT NULL DEFAULT false,
    reached jsonb NOT NULL,
    CONSTRAINT notices_pkey PRIMARY KEY (tenant_id, incident_id, version),
    CONSTRAINT notices_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT notices_complete CHECK (
        state = 'draft'
        OR (nature <> '' AND impact <> '' AND mitigation_taken <> '' AND mitigation_planned <> '' AND contact <> '')
    ),
    CONSTRAINT notices_second_person CHECK (state = 'draft' OR NOT approved_by = ANY (edited_by))
);
CREATE INDEX notices_by_incident ON notices (incident_id);

CREATE TABLE notice_deliveries (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    version bigint NOT NULL,
    channel text NOT NULL CONSTRAINT notice_deliveries_channel CHECK (channel IN ('mail', 'webhook', 'portal')),
    recipient text NOT NULL,
    state text NOT NULL
    CONSTRAINT notice_deliveries_state CHECK (state IN ('waiting', 'delivered', 'failed', 'exercise')),
    reason text NOT NULL DEFAULT '',
    queued_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CONSTRAINT notice_deliveries_pkey PRIMARY KEY (tenant_id, delivery_id),
    CONSTRAINT notice_deliveries_notice_fkey FOREIGN KEY (tenant_id, incident_id, version)
    REFERENCES notices (tenant_id, incident_id, version)
);
CREATE INDEX notice_deliveries_by_id ON notice_deliveries (delivery_id);
CREATE INDEX notice_deliveries_by_notice ON notice_deliveries (tenant_id, incident_id, version);

-- The data subjects who were reached for certain, as blind indexes: names are looked up when the tenant asks.
CREATE TABLE notice_subjects (
    tenant_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    holder bytea NOT NULL,
    CONSTRAINT notice_subjects_pkey PRIMARY KEY (tenant_id, incident_id, holder)
);

-- Customers whom a blast radius names, and whom a second person has found not to be concerned.
CREATE TABLE notice_exclusions (
    tenant_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    reason text NOT NULL,
    excluded_by text NOT NULL,
    excluded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT notice_exclusions_pkey PRIMARY KEY (tenant_id, incident_id)
);

CREATE TABLE notice_readings (
    tenant_id uuid NOT NULL,
    incident_id uuid NOT NULL,
    version bigint NOT NULL,
    account_id uuid NOT NULL,
    read_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notice_readings_pkey PRIMARY KEY (tenant_id, incident_id, version, account_id),
    CONSTRAINT notice_readings_notice_fkey FOREIGN KEY (tenant_id, incident_id, version)
    REFERENCES notices (tenant_id, incident_id, version)
);

ALTER TABLE notices ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notice_deliveries ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notice_subjects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notice_exclusions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE notice_readings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON notices TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
-- And of that, only what it was sent: nothing that is still being written.
CREATE POLICY sent ON notices AS RESTRICTIVE TO bailee_tenant USING (state = 'sent');
CREATE POLICY operator ON notices TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON notice_deliveries TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON notice_deliveries TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON notice_subjects TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON notice_subjects TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON notice_exclusions TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON notice_exclusions TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON notice_readings TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON notice_readings TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT ON notices, notice_deliveries, notice_subjects TO bailee_tenant;
GRANT SELECT, INSERT ON notice_readings TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON notices TO bailee_operator;
GRANT SELECT, INSERT, UPDATE ON notice_deliveries TO bailee_operator;
GRANT SELECT, INSERT ON notice_subjects TO bailee_operator;
GRANT SELECT, INSERT, UPDATE ON notice_exclusions TO bailee_operator;
GRANT SELECT ON notice_readings TO bailee_operator;
