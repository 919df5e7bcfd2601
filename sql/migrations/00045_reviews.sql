-- +goose Up
-- Reviews of who has access, and what is decided of each item. New tables: lock nothing that exists; instant.
CREATE TABLE reviews (
    tenant_id    uuid        NOT NULL,
    id           uuid        NOT NULL,
    name         text        NOT NULL,
    role_id      uuid, -- of its assignments
    group_id     uuid, -- of its members; neither: of all assignments in the tenant
    status       text        NOT NULL CONSTRAINT reviews_status_known CHECK (status IN ('open', 'closed')),
    on_silence   text        NOT NULL CONSTRAINT reviews_silence_known CHECK (on_silence IN ('keep', 'revoke')),
    due_at       timestamptz NOT NULL,
    items        integer     NOT NULL,
    decided      integer     NOT NULL, -- how many of them are
    created_by   uuid, -- NULL: Chancery itself
    created_at   timestamptz NOT NULL,
    closed_at    timestamptz,
    close_reason text        NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT reviews_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX reviews_due ON reviews (due_at, tenant_id, id) WHERE status = 'open'; -- across tenants (internal/due)
CALL core.tenant_scoped('reviews');

CREATE TABLE review_items (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL, -- follows from the review and the item
    review_id     uuid        NOT NULL,
    item_id       uuid        NOT NULL, -- of the assignment or the membership
    user_id       uuid,
    department_id uuid,
    group_id      uuid,
    role_id       uuid, -- NULL: a membership of the group
    status        text        NOT NULL CONSTRAINT review_items_status_known CHECK (status IN ('undecided', 'kept', 'revoked')),
    already       boolean     NOT NULL, -- it had ended before it was decided
    decided_by    uuid, -- NULL: nobody; silence
    decided_at    timestamptz,
    reason        text        NOT NULL,
    version       bigint      NOT NULL,
    CONSTRAINT review_items_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX review_items_review ON review_items (tenant_id, review_id, id);
CREATE INDEX review_items_user ON review_items (tenant_id, user_id, id) WHERE user_id IS NOT NULL;
CALL core.tenant_scoped('review_items');
