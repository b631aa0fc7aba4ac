-- Backups, as the running instance knows them; the manifests in the repository are what a restore goes by.

CREATE TABLE recovery_keys (
    recovery_key_id uuid NOT NULL CONSTRAINT recovery_keys_pkey PRIMARY KEY,
    recipient text NOT NULL CONSTRAINT recovery_keys_recipient UNIQUE,
    made_at timestamptz NOT NULL DEFAULT now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX recovery_keys_one ON recovery_keys ((true)) WHERE retired_at IS NULL;

CREATE TABLE backups (
    backup_id uuid NOT NULL CONSTRAINT backups_pkey PRIMARY KEY,
    server text NOT NULL CONSTRAINT backups_server CHECK (server IN ('main', 'keyring', 'objects', 'settings')),
    kind text NOT NULL CONSTRAINT backups_kind CHECK (kind IN ('full', 'incremental')),
    generation text NOT NULL CONSTRAINT backups_generation CHECK (
        generation IN ('recent', 'hourly', 'daily', 'weekly', 'monthly', 'yearly')
    ),
    state text NOT NULL CONSTRAINT backups_state CHECK (state IN ('running', 'complete', 'failed', 'expired')),
    parent_id uuid CONSTRAINT backups_parent_fkey REFERENCES backups (backup_id),
    began_at timestamptz NOT NULL,
    taken_at timestamptz,
    expires_at timestamptz,
    plain bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    manifest_sha256 text,
    verified_at timestamptz,
    copied_at timestamptz,
    fault text NOT NULL DEFAULT '',
    timeline bigint,
    system_id text,
    major bigint,
    deleted_at timestamptz,
    CONSTRAINT backups_complete CHECK (
        state NOT IN ('complete', 'expired')
        OR (taken_at IS NOT NULL AND expires_at IS NOT NULL AND manifest_sha256 IS NOT NULL)
    )
);
CREATE INDEX backups_newest ON backups (server, began_at DESC);
CREATE INDEX backups_by_expiry ON backups (expires_at) WHERE state = 'complete';

CREATE TABLE backup_releases (
    release_id uuid NOT NULL CONSTRAINT backup_releases_pkey PRIMARY KEY,
    purpose text NOT NULL CONSTRAINT backup_releases_purpose CHECK (purpose IN ('disaster_recovery', 'legal_retention')),
    reason text NOT NULL,
    state text NOT NULL CONSTRAINT backup_releases_state CHECK (
        state IN ('requested', 'approved', 'refused', 'used', 'lapsed')
    ),
    requested_by uuid NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    decided_by uuid,
    decided_at timestamptz,
    used_at timestamptz,
    expires_at timestamptz NOT NULL,
    CONSTRAINT backup_releases_two_people CHECK (decided_by IS NULL OR decided_by <> requested_by),
    CONSTRAINT backup_releases_decided CHECK (state NOT IN ('approved', 'used') OR decided_by IS NOT NULL)
);

CREATE TABLE backup_drills (
    drill_id uuid NOT NULL CONSTRAINT backup_drills_pkey PRIMARY KEY,
    began_at timestamptz NOT NULL,
    ended_at timestamptz,
    state text NOT NULL CONSTRAINT backup_drills_state CHECK (state IN ('running', 'passed', 'failed')),
    restored_to timestamptz,
    rto_seconds double precision,
    rpo_seconds double precision,
    tables bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    samples bigint NOT NULL DEFAULT 0,
    faults text [] NOT NULL DEFAULT '{}'
);

-- What this instance has come from. It says that a copy is open only after its erasures were replayed.
CREATE TABLE restores (
    restore_id uuid NOT NULL CONSTRAINT restores_pkey PRIMARY KEY,
    purpose text NOT NULL CONSTRAINT restores_purpose CHECK (purpose IN ('disaster_recovery', 'legal_retention', 'drill')),
    opened_with text NOT NULL CONSTRAINT restores_opened_with CHECK (opened_with IN ('recovery_key', 'release', 'drill')),
    release_id uuid,
    restored_to timestamptz,
    restored_at timestamptz NOT NULL DEFAULT now(),
    erasures bigint NOT NULL DEFAULT 0,
    terminations bigint NOT NULL DEFAULT 0,
    holds bigint NOT NULL DEFAULT 0,
    replayed boolean NOT NULL DEFAULT false
);

-- Up to which leaf of the ledger what must survive a restore has been written into the repository's journal.
CREATE TABLE backup_journal (
    singleton boolean NOT NULL DEFAULT true CONSTRAINT backup_journal_pkey PRIMARY KEY
    CONSTRAINT backup_journal_one CHECK (singleton),
    next_leaf bigint NOT NULL DEFAULT 0
);

GRANT SELECT, INSERT, UPDATE ON recovery_keys, backups, backup_releases, backup_drills, restores, backup_journal
TO bailee_operator;
GRANT DELETE ON backups TO bailee_operator;
