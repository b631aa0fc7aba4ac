-- What tenants store. Nothing here is readable without the keyring: subjects and file names are blind indexes,
-- contents are ciphertexts. The operator's role has no grant on any of it but counts and names of collections.

CREATE TABLE collections (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    definition jsonb NOT NULL,
    building text [] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT collections_pkey PRIMARY KEY (tenant_id, name),
    CONSTRAINT collections_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id)
);

CREATE TABLE collection_versions (
    tenant_id uuid NOT NULL,
    name text NOT NULL,
    version bigint NOT NULL,
    definition jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT collection_versions_pkey PRIMARY KEY (tenant_id, name, version)
);

-- One row a data subject; `holder` is the blind index of its identifier. A writer holds the row while it writes,
-- and erasure deletes it: no row is written under a key that is being destroyed.
CREATE TABLE subjects (
    tenant_id uuid NOT NULL,
    holder bytea NOT NULL,
    key_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subjects_pkey PRIMARY KEY (tenant_id, holder)
);

CREATE TABLE records (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    collection text NOT NULL,
    version bigint NOT NULL,
    holder bytea,
    ciphertext bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT records_pkey PRIMARY KEY (tenant_id, record_id),
    CONSTRAINT records_collection_fkey FOREIGN KEY (tenant_id, collection) REFERENCES collections (tenant_id, name),
    CONSTRAINT records_subject_fkey FOREIGN KEY (tenant_id, holder) REFERENCES subjects (tenant_id, holder)
);
CREATE INDEX records_in_order ON records (tenant_id, collection, record_id);
CREATE INDEX records_by_subject ON records (tenant_id, holder, record_id) WHERE holder IS NOT NULL;

CREATE TABLE record_tokens (
    tenant_id uuid NOT NULL,
    collection text NOT NULL,
    field text NOT NULL,
    token bytea NOT NULL,
    record_id uuid NOT NULL,
    CONSTRAINT record_tokens_pkey PRIMARY KEY (tenant_id, collection, field, token, record_id),
    CONSTRAINT record_tokens_record_fkey FOREIGN KEY (tenant_id, record_id) REFERENCES records (tenant_id, record_id)
);
CREATE INDEX record_tokens_by_record ON record_tokens (tenant_id, record_id);

CREATE TABLE files (
    tenant_id uuid NOT NULL,
    name_token bytea NOT NULL,
    object_id uuid NOT NULL,
    version bigint NOT NULL,
    holder bytea,
    size bigint NOT NULL,
    metadata bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CONSTRAINT files_pkey PRIMARY KEY (tenant_id, name_token),
    CONSTRAINT files_subject_fkey FOREIGN KEY (tenant_id, holder) REFERENCES subjects (tenant_id, holder)
);
CREATE INDEX files_in_order ON files (tenant_id, object_id);
CREATE INDEX files_by_subject ON files (tenant_id, holder) WHERE holder IS NOT NULL;

-- What a repeated request is answered with. No content: a record is read again, a batch keeps ids and error codes.
CREATE TABLE idempotency (
    tenant_id uuid NOT NULL,
    token bytea NOT NULL,
    fingerprint bytea NOT NULL,
    answer jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (tenant_id, token)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Erasures that have begun. One that was interrupted is taken up again by its job.
CREATE TABLE erasures (
    tenant_id uuid NOT NULL,
    erasure_id uuid NOT NULL,
    holder bytea NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    receipt jsonb,
    CONSTRAINT erasures_pkey PRIMARY KEY (tenant_id, erasure_id)
);

ALTER TABLE collections ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE collection_versions ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE subjects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE record_tokens ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant ON collections TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON collection_versions TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON subjects TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON records TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON record_tokens TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON files TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON idempotency TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON erasures TO bailee_tenant
    USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);

GRANT SELECT, INSERT, UPDATE, DELETE ON
collections, collection_versions, subjects, records, record_tokens, files, idempotency, erasures
TO bailee_tenant;
