-- The changes of the staff: numbered, recorded, and applied once for each request.

-- One row: the number of the last change. A replica's number says how recent its rows are.
CREATE TABLE generation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number bigint NOT NULL
);
INSERT INTO generation (number) VALUES (1);

CREATE TABLE audit (
    number bigint PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    staff text NOT NULL,
    action text NOT NULL CHECK (action IN ('create', 'change', 'archive')),
    course text NOT NULL,
    request text NOT NULL,
    before jsonb,
    after jsonb
);

-- A retried request gets the first one's answer. Rows are kept: a few a day.
CREATE TABLE requests (
    id text PRIMARY KEY CHECK (length(id) BETWEEN 8 AND 128),
    staff text NOT NULL,
    digest text NOT NULL,
    status integer NOT NULL,
    answer json NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
