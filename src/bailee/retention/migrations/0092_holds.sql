-- Legal holds, and the archive: nothing that is ordinary reads these tables. Every ciphertext is under a hold's own key.

CREATE TABLE legal_holds (
    tenant_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    origin text NOT NULL CONSTRAINT legal_holds_origin CHECK (origin IN ('person', 'floor')),
    kind text NOT NULL CONSTRAINT legal_holds_kind CHECK (kind IN ('tax', 'litigation', 'authority', 'other_law')),
    basis text NOT NULL CONSTRAINT legal_holds_basis CHECK (basis <> ''),
    everything boolean NOT NULL,
    collections text [] NOT NULL,
    holders bytea [] NOT NULL,
    records uuid [] NOT NULL,
    ends_on date NOT NULL,
    state text NOT NULL CONSTRAINT legal_holds_state CHECK (
        state IN ('requested', 'active', 'ending', 'lifting', 'ended', 'lifted', 'refused', 'withdrawn')
    ),
    key_id uuid,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    moved_at timestamptz,
    closed_at timestamptz,
    change text NOT NULL DEFAULT '' CONSTRAINT legal_holds_change CHECK (change IN ('', 'lift', 'extend')),
    change_by text,
    change_reason text NOT NULL DEFAULT '',
    change_to date,
    deleted_records bigint NOT NULL DEFAULT 0,
    deleted_files bigint NOT NULL DEFAULT 0,
    returned_records bigint NOT NULL DEFAULT 0,
    returned_files bigint NOT NULL DEFAULT 0,
    CONSTRAINT legal_holds_pkey PRIMARY KEY (tenant_id, hold_id),
    CONSTRAINT legal_holds_tenant_fkey FOREIGN KEY (tenant_id) REFERENCES tenants (tenant_id),
    CONSTRAINT legal_holds_second_person CHECK (
        origin = 'floor' OR state IN ('requested', 'withdrawn') OR decided_by <> requested_by
    ),
    CONSTRAINT legal_holds_key CHECK (state NOT IN ('active', 'ending', 'lifting') OR key_id IS NOT NULL)
);
CREATE INDEX legal_holds_working ON legal_holds (ends_on) WHERE state IN ('active', 'ending', 'lifting');

-- hold_id is the hold under whose key it is sealed.
CREATE TABLE archived_records (
    tenant_id uuid NOT NULL,
    record_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    collection text NOT NULL,
    version bigint NOT NULL,
    holder bytea,
    ciphertext bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT archived_records_pkey PRIMARY KEY (tenant_id, record_id),
    CONSTRAINT archived_records_hold_fkey FOREIGN KEY (tenant_id, hold_id) REFERENCES legal_holds (tenant_id, hold_id),
    CONSTRAINT archived_records_collection_fkey FOREIGN KEY (tenant_id, collection)
    REFERENCES collections (tenant_id, name)
);
CREATE INDEX archived_records_by_hold ON archived_records (tenant_id, hold_id, record_id);
CREATE INDEX archived_records_by_subject ON archived_records (tenant_id, holder) WHERE holder IS NOT NULL;

CREATE TABLE archived_files (
    tenant_id uuid NOT NULL,
    file_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    holder bytea,
    size bigint NOT NULL,
    metadata bytea NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT archived_files_pkey PRIMARY KEY (tenant_id, file_id),
    CONSTRAINT archived_files_hold_fkey FOREIGN KEY (tenant_id, hold_id) REFERENCES legal_holds (tenant_id, hold_id)
);
CREATE INDEX archived_files_by_hold ON archived_files (tenant_id, hold_id, file_id);
CREATE INDEX archived_files_by_subject ON archived_files (tenant_id, holder) WHERE holder IS NOT NULL;

-- Which holds cover an item: it stays until the last of them ends.
CREATE TABLE archive_listings (
    tenant_id uuid NOT NULL,
    hold_id uuid NOT NULL,
    item_id uuid NOT NULL,
    CONSTRAINT archive_listings_pkey PRIMARY KEY (tenant_id, hold_id, item_id),
    CONSTRAINT archive_listings_hold_fkey FOREIGN KEY (tenant_id, hold_id) REFERENCES legal_holds (tenant_id, hold_id)
);
CREATE INDEX archive_listings_by_item ON archive_listings (tenant_id, item_id);

ALTER TABLE legal_holds ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE archived_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE archived_files ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE archive_listings ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON legal_holds TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON legal_holds TO bailee_operator USING (true) WITH CHECK (true);
CREATE POLICY tenant ON archived_records TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON archived_files TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY tenant ON archive_listings TO bailee_tenant
USING (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid)
WITH CHECK (tenant_id = nullif(current_setting('app.tenant', true), '')::uuid);
CREATE POLICY operator ON archive_listings TO bailee_operator USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON legal_holds TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON archived_records, archived_files, archive_listings TO bailee_tenant;
GRANT SELECT ON legal_holds, archive_listings TO bailee_operator;
