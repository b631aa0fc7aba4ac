-- Federation: a tenant's domains, its identity provider, and what its directory provisions. Behind row security, all of it;
-- what must be unique over tenants lies in tables of the operator's.

CREATE TABLE tenant_domains (
    tenant_id uuid NOT NULL,
    domain text NOT NULL,
    domain_id uuid NOT NULL,
    token text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    verified_at timestamptz,
    checked_at timestamptz,
    failing_since timestamptz,
    failures bigint NOT NULL DEFAULT 0,
    CONSTRAINT tenant_domains_pkey PRIMARY KEY (tenant_id, domain),
    CONSTRAINT tenant_domains_id_key UNIQUE (tenant_id, domain_id),
    CONSTRAINT tenant_domains_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);

-- One tenant holds a domain. Only the operator's transactions see this: a unique key that tenants could run into would
-- tell them of each other.
CREATE TABLE verified_domains (
    domain text NOT NULL CONSTRAINT verified_domains_pkey PRIMARY KEY,
    holder uuid NOT NULL CONSTRAINT verified_domains_holder_fkey REFERENCES tenants (tenant_id),
    verified_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX verified_domains_by_holder ON verified_domains (holder);

CREATE TABLE sso_connections (
    tenant_id uuid NOT NULL CONSTRAINT sso_connections_pkey PRIMARY KEY
    CONSTRAINT sso_connections_tenant_fkey REFERENCES tenants (tenant_id),
    issuer text NOT NULL,
    client_id text NOT NULL,
    client_secret bytea NOT NULL,
    default_role text NOT NULL CONSTRAINT sso_connections_role CHECK (default_role <> 'owner'),
    enabled boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Whom an issuer's subject stands for. It ends with the membership, and no subject stands for two people, nor two for one.
CREATE TABLE federated_identities (
    tenant_id uuid NOT NULL,
    issuer text NOT NULL,
    subject text NOT NULL,
    account_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT federated_identities_pkey PRIMARY KEY (tenant_id, issuer, subject),
    CONSTRAINT federated_identities_account_key UNIQUE (tenant_id, issuer, account_id),
    CONSTRAINT federated_identities_membership_fkey FOREIGN KEY (tenant_id, account_id)
    REFERENCES memberships (tenant_id, account_id) ON DELETE CASCADE
);
CREATE INDEX federated_identities_by_account ON federated_identities (tenant_id, account_id);

-- Sign-ins on their way through an identity provider. Nonce and code verifier follow from a secret that the browser holds;
-- here lie digests alone.
CREATE TABLE sso_intents (
    intent_id uuid NOT NULL CONSTRAINT sso_intents_pkey PRIMARY KEY,
    digest bytea NOT NULL,
    browser_digest bytea NOT NULL,
    holder uuid NOT NULL,
    issuer text NOT NULL,
    client_id text NOT NULL,
    onward text NOT NULL,
    anew boolean NOT NULL,
    former uuid,
    address text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sso_intents_by_address ON sso_intents (address, created_at);
CREATE INDEX sso_intents_by_end ON sso_intents (expires_at);

-- What a directory has written about members and reads back; the membership itself says who may do what.
CREATE TABLE scim_users (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    display_name text,
    formatted_name text,
    given_name text,
    family_name text,
    CONSTRAINT scim_users_pkey PRIMARY KEY (tenant_id, account_id),
    CONSTRAINT scim_users_membership_fkey FOREIGN KEY (tenant_id, account_id)
    REFERENCES memberships (tenant_id, account_id) ON DELETE CASCADE
);

CREATE TABLE scim_groups (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    display_name text NOT NULL,
    external_id text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT scim_groups_pkey PRIMARY KEY (tenant_id, group_id),
    CONSTRAINT scim_groups_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);
CREATE UNIQUE INDEX scim_groups_name_key ON scim_groups (tenant_id, lower(display_name));

CREATE TABLE scim_group_members (
    tenant_id uuid NOT NULL,
    group_id uuid NOT NULL,
    account_id uuid NOT NULL,
    CONSTRAINT scim_group_members_pkey PRIMARY KEY (tenant_id, group_id, account_id),
    CONSTRAINT scim_group_members_group_fkey FOREIGN KEY (tenant_id, group_id)
    REFERENCES scim_groups (tenant_id, group_id) ON DELETE CASCADE,
    CONSTRAINT scim_group_members_membership_fkey FOREIGN KEY (tenant_id, account_id)
    REFERENCES memberships (tenant_id, account_id) ON DELETE CASCADE
);
CREATE INDEX scim_group_members_by_account ON scim_group_members (tenant_id, account_id);

ALTER TABLE tenant_domains ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_domains TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON tenant_domains TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE sso_connections ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON sso_connections TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON sso_connections TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE federated_identities ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON federated_identities TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON federated_identities TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE scim_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON scim_users TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON scim_users TO bailee_operator USING (true) WITH CHECK (true);

ALTER TABLE scim_groups ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON scim_groups TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON scim_groups FOR SELECT TO bailee_operator USING (true);

ALTER TABLE scim_group_members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON scim_group_members TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON scim_group_members FOR SELECT TO bailee_operator USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON
tenant_domains, sso_connections, federated_identities, scim_users, scim_groups, scim_group_members TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON
tenant_domains, verified_domains, sso_connections, federated_identities, sso_intents, scim_users TO bailee_operator;
GRANT SELECT ON scim_groups, scim_group_members TO bailee_operator;
