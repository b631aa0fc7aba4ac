-- Support cases: what a tenant lets somebody of the staff see, and for how long. Subjects are blind indexes.

CREATE TABLE support_cases (
    tenant_id uuid NOT NULL,
    case_id uuid NOT NULL,
    reason text NOT NULL,
    asked_by uuid NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    hours bigint NOT NULL CONSTRAINT support_cases_hours CHECK (hours BETWEEN 1 AND 168),
    collections text [] NOT NULL,
    holders bytea [] NOT NULL,
    records uuid [] NOT NULL,
    state text NOT NULL DEFAULT 'requested'
    CONSTRAINT support_cases_state CHECK (state IN ('requested', 'granted', 'refused', 'ended')),
    decided_by text,
    decided_at timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    ended_by text,
    CONSTRAINT support_cases_pkey PRIMARY KEY (tenant_id, case_id),
    CONSTRAINT support_cases_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT support_cases_bounded CHECK (state <> 'granted' OR expires_at IS NOT NULL)
);
CREATE INDEX support_cases_newest ON support_cases (case_id DESC);
CREATE INDEX support_cases_open ON support_cases (expires_at) WHERE state = 'granted';

ALTER TABLE support_cases ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON support_cases TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON support_cases TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON support_cases TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON support_cases TO bailee_operator;
