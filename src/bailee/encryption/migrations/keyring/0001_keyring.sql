-- Wrapped keys. The keyring server holds nothing else, and is backed up apart from main.

CREATE TABLE tenant_keys (
    tenant_id uuid NOT NULL,
    version bigint NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tenant_keys_pkey PRIMARY KEY (tenant_id, version)
);

CREATE TABLE data_keys (
    tenant_id uuid NOT NULL,
    key_id uuid NOT NULL,
    purpose text NOT NULL CONSTRAINT data_keys_purpose CHECK (purpose IN ('subject', 'general', 'index')),
    version bigint NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT data_keys_pkey PRIMARY KEY (tenant_id, key_id),
    CONSTRAINT data_keys_tenant_key_fkey FOREIGN KEY (tenant_id, version) REFERENCES tenant_keys (tenant_id, version)
);
CREATE INDEX data_keys_by_version ON data_keys (tenant_id, version);

-- Secrets of the instance itself (the ledger's signing seed, the key for second factors), wrapped by the root key.
CREATE TABLE instance_secrets (
    name text NOT NULL CONSTRAINT instance_secrets_pkey PRIMARY KEY,
    wrapped bytea NOT NULL
);

ALTER TABLE tenant_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenant_keys TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON data_keys TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_keys, data_keys TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE ON instance_secrets TO bailee_operator;
