-- +goose Up
-- Licences: a row in the holder's tenant and, as a copy, one in the vendor's. Locks nothing that exists; instant.
CREATE TABLE licenses (
    tenant_id        uuid        NOT NULL,
    id               uuid        NOT NULL,
    app_id           uuid        NOT NULL,
    app              text        NOT NULL, -- its name
    holder_tenant_id uuid        NOT NULL,
    vendor_tenant_id uuid        NOT NULL,
    revision         bigint      NOT NULL,
    terms            jsonb       NOT NULL, -- what it allows, and when
    license_blob     text        NOT NULL, -- the file: a JWS in compact form
    signature        text        NOT NULL, -- of the file, in base64url: its last part
    kid              text        NOT NULL, -- of the key that it was signed with
    file_expires_at  timestamptz NOT NULL, -- by when the file must be fetched anew
    imported         boolean     NOT NULL, -- it was signed elsewhere
    issued_at        timestamptz NOT NULL,
    starts_at        timestamptz NOT NULL,
    expires_at       timestamptz, -- NULL: it never ends
    grace_until      timestamptz, -- likewise
    expired_at       timestamptz, -- the end that was said to be over, if any; not this one where it was renewed since
    ended_at         timestamptz, -- likewise of the time of grace
    status           text        NOT NULL CONSTRAINT licenses_status_known CHECK (status IN ('active', 'suspended', 'revoked', 'expired', 'ended')),
    status_reason    text, -- as whoever suspended or revoked it gave it
    updated_at       timestamptz NOT NULL,
    version          bigint      NOT NULL,
    CONSTRAINT licenses_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX licenses_app ON licenses (tenant_id, app_id, id);
CREATE INDEX licenses_holder ON licenses (tenant_id, holder_tenant_id, id);
-- Across tenants: what is over and not yet said to be, in order (internal/due).
CREATE INDEX licenses_expiry_due ON licenses (expires_at, tenant_id, id)
    WHERE holder_tenant_id = tenant_id AND status <> 'revoked' AND expired_at IS DISTINCT FROM expires_at;
CREATE INDEX licenses_end_due ON licenses (grace_until, tenant_id, id)
    WHERE holder_tenant_id = tenant_id AND status <> 'revoked' AND ended_at IS DISTINCT FROM grace_until;
-- Likewise licences that were made for later, by when they begin: few.
CREATE INDEX licenses_begin ON licenses (starts_at, tenant_id, id)
    WHERE holder_tenant_id = tenant_id AND status = 'active' AND starts_at > issued_at;
CALL core.tenant_scoped('licenses');
