-- +goose Up
-- The app that holds a token. ACCESS EXCLUSIVE on api_tokens for an instant: a column without a default rewrites nothing.
ALTER TABLE api_tokens ADD COLUMN app_id text; -- the app's short name
