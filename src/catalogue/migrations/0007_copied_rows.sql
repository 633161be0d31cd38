-- pg_restore writes rows with an empty search path (PostgreSQL 17, "pg_dump"). The words of a course
-- are generated then, so their function names the schema of the functions that it calls.
CREATE OR REPLACE FUNCTION catalogue_words(language text, words text) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT to_tsvector(public.catalogue_stemmer(language), words)
    || to_tsvector('pg_catalog.simple'::regconfig, public.catalogue_plain(words))
$$;
