-- Ends of contracts, and what says that nothing is left. The certificate stays; it names no person.

CREATE TABLE terminations (
    tenant_id uuid NOT NULL,
    termination_id uuid NOT NULL,
    side text NOT NULL CONSTRAINT terminations_side CHECK (side IN ('tenant', 'operator')),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    contract_ended_on date,
    delete_from timestamptz NOT NULL,
    state text NOT NULL CONSTRAINT terminations_state CHECK (
        state IN ('requested', 'cancelled', 'deleting', 'held', 'completed')
    ),
    tenant_name text NOT NULL,
    began_at timestamptz,
    closed_at timestamptz,
    closed_by text,
    notify text [] NOT NULL DEFAULT '{}',
    counts jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT terminations_pkey PRIMARY KEY (tenant_id, termination_id),
    CONSTRAINT terminations_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);
CREATE UNIQUE INDEX terminations_one ON terminations (tenant_id) WHERE state <> 'cancelled';
CREATE INDEX terminations_due ON terminations (delete_from) WHERE state IN ('requested', 'deleting', 'held');

CREATE TABLE deletion_certificates (
    tenant_id uuid NOT NULL,
    number bigint NOT NULL CONSTRAINT deletion_certificates_number CHECK (number IN (1, 2)),
    document bytea NOT NULL,
    event_id uuid NOT NULL,
    note text NOT NULL,
    evidence jsonb,
    issued_at timestamptz NOT NULL,
    backups_gone_by timestamptz,
    link_digest bytea,
    link_expires_at timestamptz,
    link_used_at timestamptz,
    CONSTRAINT deletion_certificates_pkey PRIMARY KEY (tenant_id, number),
    CONSTRAINT deletion_certificates_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);
CREATE INDEX deletion_certificates_link ON deletion_certificates (link_digest) WHERE link_digest IS NOT NULL;

ALTER TABLE terminations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE deletion_certificates ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON terminations TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON terminations TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON deletion_certificates TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON deletion_certificates TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT ON terminations TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON terminations, deletion_certificates TO bailee_operator;

-- What deletes a terminated tenant: its own role where that may delete anyhow, else the operator's.
GRANT DELETE ON
alert_events, alert_notes, alert_suppressions, alerts, incident_alerts, legal_holds, notice_deliveries,
notice_exclusions, notice_readings, notice_subjects, oauth_clients, oauth_client_secrets, support_cases, webhooks
TO bailee_operator;
GRANT DELETE ON api_keys TO bailee_tenant;
GRANT SELECT, DELETE ON familiar, usual_volumes TO bailee_operator;
