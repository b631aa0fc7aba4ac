-- Bailee as OpenID provider. A client belongs to the tenant in tenant_id, or with the operator's id (all zeros) to the
-- product that the operator runs for members of every tenant. What is handed out for a person lies in the person's tenant.

CREATE TABLE oauth_clients (
    tenant_id uuid NOT NULL,
    client_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CONSTRAINT oauth_clients_kind CHECK (kind IN ('confidential', 'public')),
    redirect_uris text [] NOT NULL,
    post_logout_redirect_uris text [] NOT NULL,
    scopes text [] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    last_used_at timestamptz,
    CONSTRAINT oauth_clients_pkey PRIMARY KEY (tenant_id, client_id)
);
CREATE INDEX oauth_clients_by_id ON oauth_clients (client_id);

CREATE TABLE oauth_client_secrets (
    tenant_id uuid NOT NULL,
    secret_id uuid NOT NULL,
    client_id uuid NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    reminded_at timestamptz,
    CONSTRAINT oauth_client_secrets_pkey PRIMARY KEY (tenant_id, secret_id),
    CONSTRAINT oauth_client_secrets_client_fkey FOREIGN KEY (tenant_id, client_id)
    REFERENCES oauth_clients (tenant_id, client_id)
);
CREATE INDEX oauth_client_secrets_by_client ON oauth_client_secrets (tenant_id, client_id);

-- One authorisation of a client by a person: it begins as a code, and every token issued from it dies with it.
CREATE TABLE oauth_grants (
    tenant_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    client_id uuid NOT NULL,
    account_id uuid NOT NULL,
    epoch bigint NOT NULL,
    session_id uuid NOT NULL,
    scopes text [] NOT NULL,
    nonce text,
    auth_time timestamptz NOT NULL,
    code_digest bytea NOT NULL,
    code_challenge text NOT NULL,
    redirect_uri text NOT NULL,
    code_expires_at timestamptz NOT NULL,
    code_used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    CONSTRAINT oauth_grants_pkey PRIMARY KEY (tenant_id, grant_id)
);
CREATE INDEX oauth_grants_by_expiry ON oauth_grants (expires_at);

-- Used ones are kept while the grant lives: one that comes again has been stolen, from its owner or by it.
CREATE TABLE oauth_refresh_tokens (
    tenant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    CONSTRAINT oauth_refresh_tokens_pkey PRIMARY KEY (tenant_id, token_id),
    CONSTRAINT oauth_refresh_tokens_grant_fkey FOREIGN KEY (tenant_id, grant_id)
    REFERENCES oauth_grants (tenant_id, grant_id) ON DELETE CASCADE
);
CREATE INDEX oauth_refresh_tokens_by_grant ON oauth_refresh_tokens (tenant_id, grant_id);

-- With a grant it speaks for a person, to userinfo alone; without one for the client itself, to the API.
CREATE TABLE access_tokens (
    tenant_id uuid NOT NULL,
    token_id uuid NOT NULL,
    client_id uuid NOT NULL,
    grant_id uuid,
    scopes text [] NOT NULL,
    digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CONSTRAINT access_tokens_pkey PRIMARY KEY (tenant_id, token_id),
    CONSTRAINT access_tokens_grant_fkey FOREIGN KEY (tenant_id, grant_id)
    REFERENCES oauth_grants (tenant_id, grant_id) ON DELETE CASCADE
);
CREATE INDEX access_tokens_by_grant ON access_tokens (tenant_id, grant_id);
CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at);

ALTER TABLE oauth_clients ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_clients TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON oauth_clients TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE oauth_client_secrets ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_client_secrets TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON oauth_client_secrets TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE oauth_grants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_grants TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON oauth_grants TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE oauth_refresh_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON oauth_refresh_tokens TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON oauth_refresh_tokens TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE access_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON access_tokens TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON access_tokens TO bailee_operator USING (true) WITH CHECK (true);

-- The provider's own keys. The private half is sealed under a secret that lies with the keyring.
CREATE TABLE signing_keys (
    key_id uuid NOT NULL CONSTRAINT signing_keys_pkey PRIMARY KEY,
    state text NOT NULL CONSTRAINT signing_keys_state CHECK (state IN ('next', 'current', 'retired', 'withdrawn')),
    public_jwk text NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz,
    retired_at timestamptz
);
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX signing_keys_one_of_each ON signing_keys (state) WHERE state IN ('next', 'current');

GRANT SELECT, INSERT, UPDATE ON oauth_clients, oauth_client_secrets TO bailee_tenant;
GRANT SELECT ON access_tokens TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON oauth_clients, oauth_client_secrets TO bailee_operator;
GRANT SELECT, INSERT, UPDATE, DELETE ON
oauth_grants, oauth_refresh_tokens, access_tokens, signing_keys TO bailee_operator;
