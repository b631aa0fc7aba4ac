-- Events are forgotten when their time is up; their commitments stay.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX events_by_age ON events (occurred_at, action);
GRANT DELETE ON events TO bailee_operator;
