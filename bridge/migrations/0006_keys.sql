-- API keys: who may call, kept as hashes. Console accounts likewise.
CREATE TABLE api_key (
    id text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    prefix text NOT NULL,   -- The first characters, so that people can tell keys apart.
    digest bytea NOT NULL,  -- SHA-256: the key is 256 random bits, so nothing slower is needed.
    scopes text[] NOT NULL CONSTRAINT api_key_scopes_known CHECK (scopes <@ ARRAY['admin', 'system', 'ops'] AND scopes <> '{}'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_used_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT api_key_digest UNIQUE (digest)
);

CREATE TABLE ops_user (
    name text PRIMARY KEY,
    password_hash text NOT NULL,  -- argon2
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_login_at timestamptz
);

-- Answers given under an Idempotency-Key, to give again.
CREATE TABLE idempotency_key (
    scope text NOT NULL,  -- caller and path
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status integer,
    body bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_key_age ON idempotency_key (created_at);  -- For retention.
