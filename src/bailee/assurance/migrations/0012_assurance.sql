-- What checks found. The facts are here, their digest is in the ledger.

CREATE TABLE check_results (
    result_id uuid NOT NULL CONSTRAINT check_results_pkey PRIMARY KEY,
    name text NOT NULL,
    measure text NOT NULL,
    verdict text NOT NULL CONSTRAINT check_results_verdict CHECK (verdict IN ('holds', 'attention', 'broken', 'unknown')),
    summary text NOT NULL,
    facts jsonb NOT NULL,
    checked_at timestamptz NOT NULL,
    event_id uuid NOT NULL
);
CREATE INDEX check_results_latest ON check_results (name, checked_at DESC);

GRANT SELECT, INSERT, DELETE ON check_results TO bailee_operator;
