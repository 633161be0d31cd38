-- Subjects, teachers, terms, courses and prices, and the search of the courses.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

-- unaccent() depends on the search path, so PostgreSQL calls it STABLE; with the dictionary named it
-- depends on its arguments only, and an index may use it ("unaccent", F.48.3).
CREATE FUNCTION catalogue_plain(text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$ SELECT lower(public.unaccent('public.unaccent'::regdictionary, $1)) $$;

-- The stemmer of each language. PostgreSQL has none for Vietnamese, whose words have no endings.
CREATE FUNCTION catalogue_stemmer(language text) RETURNS regconfig
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT CASE language
    WHEN 'ar' THEN 'pg_catalog.arabic'::regconfig
    WHEN 'de' THEN 'pg_catalog.german'::regconfig
    WHEN 'en' THEN 'pg_catalog.english'::regconfig
    WHEN 'es' THEN 'pg_catalog.spanish'::regconfig
    WHEN 'fr' THEN 'pg_catalog.french'::regconfig
    WHEN 'hi' THEN 'pg_catalog.hindi'::regconfig
    WHEN 'pt' THEN 'pg_catalog.portuguese'::regconfig
    ELSE 'pg_catalog.simple'::regconfig
END
$$;

-- Each text has its stems, and its words without accents: a visitor types "toan" for "toán".
CREATE FUNCTION catalogue_words(language text, words text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT to_tsvector(catalogue_stemmer(language), words)
    || to_tsvector('pg_catalog.simple'::regconfig, catalogue_plain(words))
$$;

CREATE TABLE subjects (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,64}$'),
    name text NOT NULL
);

CREATE TABLE teachers (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,64}$'),
    name text NOT NULL
);

CREATE TABLE courses (
    id text PRIMARY KEY CHECK (id ~ '^[a-z0-9-]{1,64}$'),
    language text NOT NULL CHECK (language ~ '^[a-z]{2}$'),
    subject text NOT NULL REFERENCES subjects,
    teacher text NOT NULL REFERENCES teachers,
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    summary text NOT NULL CHECK (length(summary) <= 4000),
    version integer NOT NULL DEFAULT 1,
    archived boolean NOT NULL DEFAULT false,
    sort_key text COLLATE "C" GENERATED ALWAYS AS (catalogue_plain(title)) STORED,
    words tsvector GENERATED ALWAYS AS (
        setweight(catalogue_words(language, title), 'A')
        || setweight(catalogue_words(language, summary), 'D')
        -- The filters, as words that no text contains: one index answers a search with its filters.
        || array_to_tsvector(ARRAY['/language/' || language, '/subject/' || subject])
    ) STORED
);
CREATE INDEX courses_words ON courses USING gin (words) WITH (fastupdate = off);
CREATE INDEX courses_sort_key ON courses (sort_key, id) WHERE NOT archived;

CREATE TABLE terms (
    course text NOT NULL REFERENCES courses,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    starts date NOT NULL,
    ends date NOT NULL CHECK (ends >= starts),
    PRIMARY KEY (course, name)
);

CREATE TABLE prices (
    course text NOT NULL REFERENCES courses,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- In the currency's smallest unit: cents, paise; the dong and the yen have none.
    amount bigint NOT NULL CHECK (amount BETWEEN 0 AND 1000000000000),
    PRIMARY KEY (course, currency)
);

-- The words of all courses without accents: a misspelt word is corrected to the nearest of them.
CREATE TABLE vocabulary (
    word text PRIMARY KEY
);
CREATE INDEX vocabulary_trigrams ON vocabulary USING gin (word gin_trgm_ops);

CREATE FUNCTION catalogue_learn() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO vocabulary (word)
    SELECT DISTINCT lexeme
    FROM unnest(to_tsvector('pg_catalog.simple'::regconfig,
                            catalogue_plain(new.title || ' ' || new.summary)))
    WHERE length(lexeme) BETWEEN 3 AND 40
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;
CREATE TRIGGER courses_learn AFTER INSERT OR UPDATE OF title, summary ON courses
FOR EACH ROW EXECUTE FUNCTION catalogue_learn();
