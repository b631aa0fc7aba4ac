-- Sign-in of a program, approved in a browser (RFC 8628). Both codes are kept as digests, and rows live for minutes.

CREATE TABLE device_requests (
    request_id uuid NOT NULL CONSTRAINT device_requests_pkey PRIMARY KEY,
    digest bytea NOT NULL,
    user_digest bytea NOT NULL CONSTRAINT device_requests_user_digest_key UNIQUE,
    label text NOT NULL,
    address text,
    asked_from text NOT NULL,
    state text NOT NULL DEFAULT 'pending'
    CONSTRAINT device_requests_state CHECK (state IN ('pending', 'approved', 'refused')),
    interval_seconds bigint NOT NULL,
    polled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    -- What the approving session was worth when it approved.
    account_id uuid CONSTRAINT device_requests_account_fkey REFERENCES accounts (account_id),
    epoch bigint,
    acting_for uuid,
    vouched_by uuid,
    factors text [],
    mfa_at timestamptz,
    weak_password boolean,
    CONSTRAINT device_requests_approved CHECK ((state = 'approved') = (account_id IS NOT NULL))
);
CREATE INDEX device_requests_by_source ON device_requests (asked_from);
CREATE INDEX device_requests_by_account ON device_requests (account_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON device_requests TO bailee_operator;
