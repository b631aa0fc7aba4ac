-- People: staff and members, their factors, sessions and roles. The tables of accounts are the operator's; what belongs to a
-- tenant (memberships, invitations, roles, policy) is behind row security, as all tenant data is.

-- squawk-ignore ban-drop-constraint
ALTER TABLE accounts DROP CONSTRAINT accounts_state;
ALTER TABLE accounts
    ADD COLUMN kind text NOT NULL DEFAULT 'staff',
    ADD COLUMN verified_at timestamptz,
    ADD COLUMN password_changed_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN seen_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN dormancy_warned_at timestamptz,
    ADD COLUMN disabled_because text,
    ADD COLUMN sealed boolean NOT NULL DEFAULT false,
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT accounts_kind CHECK (kind IN ('staff', 'member')) NOT VALID,
    ADD CONSTRAINT accounts_state CHECK (state IN ('pending', 'active', 'disabled', 'off_boarded')) NOT VALID;
-- squawk-ignore ban-drop-not-null
ALTER TABLE accounts ALTER COLUMN password_hash DROP NOT NULL;

CREATE TABLE totp_factors (
    account_id uuid NOT NULL CONSTRAINT totp_factors_pkey PRIMARY KEY
    CONSTRAINT totp_factors_account_fkey REFERENCES accounts (account_id),
    secret bytea NOT NULL,
    step bigint NOT NULL DEFAULT 0,
    confirmed_at timestamptz,
    used_at timestamptz
);
INSERT INTO totp_factors (account_id, secret, step, confirmed_at)
SELECT account_id, totp_secret, totp_step, created_at FROM accounts WHERE state <> 'pending';

CREATE TABLE role_grants (
    account_id uuid NOT NULL CONSTRAINT role_grants_account_fkey REFERENCES accounts (account_id),
    role text NOT NULL,
    granted_by text NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    confirmed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT role_grants_pkey PRIMARY KEY (account_id, role)
);
INSERT INTO role_grants (account_id, role, granted_by)
SELECT account_id, role, 'setup' FROM accounts WHERE state <> 'pending';

DELETE FROM sessions;
DELETE FROM setup_links WHERE account_id IS NOT NULL;
DELETE FROM accounts WHERE state = 'pending';
-- squawk-ignore ban-drop-column
ALTER TABLE accounts DROP COLUMN totp_secret, DROP COLUMN totp_step, DROP COLUMN role;

CREATE TABLE passkeys (
    credential_id bytea NOT NULL CONSTRAINT passkeys_pkey PRIMARY KEY,
    passkey_id uuid NOT NULL CONSTRAINT passkeys_id_key UNIQUE,
    account_id uuid NOT NULL CONSTRAINT passkeys_account_fkey REFERENCES accounts (account_id),
    name text NOT NULL,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    transports text [] NOT NULL,
    synced boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX passkeys_by_account ON passkeys (account_id);

CREATE TABLE recovery_codes (
    account_id uuid NOT NULL CONSTRAINT recovery_codes_account_fkey REFERENCES accounts (account_id),
    digest bytea NOT NULL,
    CONSTRAINT recovery_codes_pkey PRIMARY KEY (account_id, digest)
);

CREATE TABLE challenges (
    challenge_id uuid NOT NULL CONSTRAINT challenges_pkey PRIMARY KEY,
    purpose text NOT NULL,
    account_id uuid,
    challenge bytea NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE pending_sign_ins (
    pending_id uuid NOT NULL CONSTRAINT pending_sign_ins_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT pending_sign_ins_account_fkey REFERENCES accounts (account_id),
    digest bytea NOT NULL,
    epoch bigint NOT NULL,
    attempt_id uuid NOT NULL,
    weak_password boolean NOT NULL,
    failures bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_sign_ins_by_account ON pending_sign_ins (account_id);

CREATE TABLE devices (
    device_id uuid NOT NULL CONSTRAINT devices_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT devices_account_fkey REFERENCES accounts (account_id),
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX devices_by_account ON devices (account_id);

-- One-time links that go by mail: to choose a new password, to enrol a new factor.
CREATE TABLE links (
    link_id uuid NOT NULL CONSTRAINT links_pkey PRIMARY KEY,
    purpose text NOT NULL,
    account_id uuid NOT NULL CONSTRAINT links_account_fkey REFERENCES accounts (account_id),
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX links_by_account ON links (account_id);

ALTER TABLE sign_in_failures
    ADD COLUMN account_digest bytea,
    ADD COLUMN device_id uuid;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX sign_in_failures_by_account ON sign_in_failures (account_digest, failed_at);

ALTER TABLE sessions
    ADD COLUMN acting_for uuid,
    ADD COLUMN kind text NOT NULL DEFAULT 'browser',
    ADD COLUMN device text NOT NULL DEFAULT '',
    ADD COLUMN factors text [] NOT NULL DEFAULT '{}',
    ADD COLUMN mfa_at timestamptz,
    ADD COLUMN weak_password boolean NOT NULL DEFAULT false,
    ADD COLUMN rotated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN vouched_by uuid,
    ADD CONSTRAINT sessions_kind CHECK (kind IN ('browser', 'api', 'cli', 'enrolment')) NOT VALID;

CREATE TABLE elevations (
    elevation_id uuid NOT NULL CONSTRAINT elevations_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT elevations_account_fkey REFERENCES accounts (account_id),
    role text NOT NULL,
    reason text NOT NULL,
    minutes bigint NOT NULL CONSTRAINT elevations_minutes CHECK (minutes BETWEEN 5 AND 480),
    state text NOT NULL CONSTRAINT elevations_state CHECK (state IN ('requested', 'approved', 'refused', 'ended')),
    requested_at timestamptz NOT NULL DEFAULT now(),
    decided_by uuid,
    decided_at timestamptz,
    expires_at timestamptz,
    ended_at timestamptz,
    CONSTRAINT elevations_two_people CHECK (decided_by <> account_id)
);
CREATE INDEX elevations_by_account ON elevations (account_id, state);

CREATE TABLE reviews (
    review_id uuid NOT NULL CONSTRAINT reviews_pkey PRIMARY KEY,
    title text NOT NULL,
    state text NOT NULL CONSTRAINT reviews_state CHECK (state IN ('open', 'closed')),
    opened_by text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    closed_at timestamptz
);
CREATE TABLE review_items (
    review_id uuid NOT NULL CONSTRAINT review_items_review_fkey REFERENCES reviews (review_id),
    item_id uuid NOT NULL,
    account_id uuid NOT NULL CONSTRAINT review_items_account_fkey REFERENCES accounts (account_id),
    role text NOT NULL,
    reviewer_id uuid NOT NULL,
    decision text CONSTRAINT review_items_decision CHECK (decision IN ('confirmed', 'revoked', 'lapsed')),
    decided_by uuid,
    decided_at timestamptz,
    CONSTRAINT review_items_pkey PRIMARY KEY (review_id, item_id),
    CONSTRAINT review_items_not_oneself CHECK (reviewer_id <> account_id AND decided_by <> account_id)
);

CREATE TABLE factor_resets (
    reset_id uuid NOT NULL CONSTRAINT factor_resets_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT factor_resets_account_fkey REFERENCES accounts (account_id),
    within uuid,
    reset_by text NOT NULL,
    reason text NOT NULL,
    reset_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX factor_resets_by_account ON factor_resets (account_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON
factor_resets, totp_factors, role_grants, passkeys, recovery_codes, challenges, pending_sign_ins, devices, links, elevations, reviews,
review_items TO bailee_operator;

-- Of a tenant: who belongs to it, who is asked to, which roles it has made, what it demands.

CREATE TABLE memberships (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    state text NOT NULL CONSTRAINT memberships_state CHECK (state IN ('active', 'disabled')),
    source text NOT NULL CONSTRAINT memberships_source CHECK (source IN ('invitation', 'sso', 'scim')),
    external_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    role_changed_at timestamptz,
    CONSTRAINT memberships_pkey PRIMARY KEY (tenant_id, account_id),
    CONSTRAINT memberships_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);
CREATE INDEX memberships_by_account ON memberships (account_id);
CREATE INDEX memberships_by_email ON memberships (tenant_id, email);

CREATE TABLE invitations (
    tenant_id uuid NOT NULL,
    invitation_id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    roles text [] NOT NULL,
    digest bytea NOT NULL,
    invited_by text NOT NULL,
    mailed boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    withdrawn_at timestamptz,
    CONSTRAINT invitations_pkey PRIMARY KEY (tenant_id, invitation_id)
);
CREATE INDEX invitations_by_email ON invitations (tenant_id, email);

CREATE TABLE tenant_roles (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    title text NOT NULL,
    permissions text [] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_roles_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT tenant_roles_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);

CREATE TABLE tenant_policies (
    tenant_id uuid NOT NULL CONSTRAINT tenant_policies_pkey PRIMARY KEY
    CONSTRAINT tenant_policies_tenant_fkey REFERENCES tenants (tenant_id),
    require_mfa boolean NOT NULL,
    min_password_length bigint NOT NULL,
    min_password_score bigint NOT NULL,
    session_hours bigint NOT NULL,
    idle_minutes bigint NOT NULL,
    networks text [] NOT NULL,
    require_sso boolean NOT NULL,
    version bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON memberships TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON memberships TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE invitations ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invitations TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON invitations TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE tenant_roles ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_roles TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON tenant_roles FOR SELECT TO bailee_operator USING (true);

ALTER TABLE tenant_policies ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_policies TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON tenant_policies FOR SELECT TO bailee_operator USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON memberships, invitations, tenant_roles, tenant_policies TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON memberships, invitations TO bailee_operator;
GRANT SELECT ON tenant_roles, tenant_policies TO bailee_operator;

-- Keys of one tenant: what they were rotated to, and whether their end has been announced.
ALTER TABLE api_keys
    ADD COLUMN replaces uuid,
    ADD COLUMN reminded_at timestamptz;
CREATE POLICY operator ON api_keys FOR SELECT TO bailee_operator USING (true);
GRANT SELECT ON api_keys TO bailee_operator;
