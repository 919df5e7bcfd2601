-- +goose Up
-- The platform's past is made of its own events and of those by which tenants come and go: few among all, and
-- found here. The predicate must stay, word for word, what internal/replay asks for. Locks the log for writing while it is built.
CREATE INDEX events_of_tenants ON core.events (position)
    WHERE type = ANY ('{tenant.created,tenant.renamed,tenant.slug-changed,tenant.suspended,tenant.reactivated,tenant.closed}'::text[]);

