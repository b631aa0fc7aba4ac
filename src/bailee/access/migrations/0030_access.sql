-- API keys belong to tenants; accounts, sessions and setup to the operator.

CREATE TABLE api_keys (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    name text NOT NULL,
    digest bytea NOT NULL,
    permissions text [] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (tenant_id, key_id),
    CONSTRAINT api_keys_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);

ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON api_keys TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
GRANT SELECT, INSERT, UPDATE ON api_keys TO bailee_tenant;

CREATE TABLE accounts (
    account_id uuid NOT NULL CONSTRAINT accounts_pkey PRIMARY KEY,
    email text NOT NULL CONSTRAINT accounts_email_key UNIQUE,
    name text NOT NULL,
    role text NOT NULL,
    state text NOT NULL CONSTRAINT accounts_state CHECK (state IN ('pending', 'active', 'disabled')),
    password_hash text NOT NULL,
    totp_secret bytea NOT NULL,
    totp_step bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE sessions (
    session_id uuid NOT NULL CONSTRAINT sessions_pkey PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT sessions_account_fkey REFERENCES accounts (account_id),
    digest bytea NOT NULL,
    address text,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account_id);

CREATE TABLE setup_links (
    singleton boolean NOT NULL DEFAULT true CONSTRAINT setup_links_pkey PRIMARY KEY CONSTRAINT setup_links_one CHECK (singleton),
    digest bytea NOT NULL,
    confirmation_digest bytea,
    account_id uuid,
    expires_at timestamptz NOT NULL
);

CREATE TABLE sign_in_failures (
    attempt_id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT sign_in_failures_pkey PRIMARY KEY,
    address text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_failures_by_address ON sign_in_failures (address, failed_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON accounts, sessions, setup_links, sign_in_failures TO bailee_operator;
