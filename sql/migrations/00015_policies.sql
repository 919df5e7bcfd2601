-- +goose Up
CREATE TABLE tenant_policies (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    key        text        COLLATE "C" NOT NULL,
    value      text, -- NULL: the default
    revision   bigint      NOT NULL, -- how often the setting changed
    status     text        NOT NULL CONSTRAINT tenant_policies_status_known CHECK (status IN ('set', 'default')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint      NOT NULL,
    CONSTRAINT tenant_policies_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT tenant_policies_value_given CHECK ((status = 'set') = (value IS NOT NULL))
);
CALL core.tenant_scoped('tenant_policies');
