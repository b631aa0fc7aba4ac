-- Mail that waits to be delivered. A message holds an address and often a one-time link, so it lies here sealed; its row
-- goes when the mail server has taken it.

CREATE TABLE mail_outbox (
    mail_id uuid NOT NULL CONSTRAINT mail_outbox_pkey PRIMARY KEY,
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts bigint NOT NULL DEFAULT 0,
    -- An SMTP code or the name of an error, never what the server said: it repeats the address.
    last_error text,
    failed_at timestamptz
);

-- A tenant's transaction may leave mail behind, and see none.
GRANT INSERT ON mail_outbox TO bailee_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON mail_outbox TO bailee_operator;
