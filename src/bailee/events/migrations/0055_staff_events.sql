-- What staff do is looked up for access reviews and checks; it is a small part of all events.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX events_of_staff ON events (occurred_at) WHERE actor_kind = 'staff';
