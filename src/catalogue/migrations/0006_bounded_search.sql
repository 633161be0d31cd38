-- A misspelt word is compared with the few words that can be near, not with all of about its length.
-- Two words within two edits have a common variant: both are equal without at most two characters
-- each (symmetric deletion). An index of the variants finds the words of a variant.

-- The number of edits that a correction may have: short words have too many neighbours.
CREATE FUNCTION catalogue_max_edits(entered text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT CASE
    -- A number isn't misspelt.
    WHEN entered ~ '[0-9]' OR length(entered) NOT BETWEEN 3 AND 42 THEN 0
    WHEN length(entered) <= 5 THEN 1
    ELSE 2
END
$$;

-- The beginning of a word without up to `edits` of its characters, at most two. Words of up to five
-- characters are corrected by one edit, so no variant with fewer than four lacks two.
CREATE FUNCTION catalogue_variants(word text, edits integer) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT array_agg(
    left(beginning, first - 1)
    || substr(beginning, first + 1, second - first - 1)
    || substr(beginning, second + 1)
)
FROM left(word, 8) AS beginning,
    generate_series(1, length(beginning) + 1) AS first,
    generate_series(first + 1, length(beginning) + 2) AS second
WHERE second > length(beginning) OR (edits = 2 AND length(beginning) >= 6)
$$;

CREATE INDEX vocabulary_variants ON vocabulary
USING gin (catalogue_variants(word, 2) COLLATE "C") WITH (fastupdate = off)
WHERE word !~ '[0-9]';
-- Beginnings of words, in an order that doesn't depend on the database's language.
CREATE INDEX vocabulary_beginnings ON vocabulary (word COLLATE "C");
DROP INDEX vocabulary_trigrams;
DROP INDEX vocabulary_lengths;

-- The number of characters to insert, remove or replace, after at most one swap of neighbours, which
-- counts as one.
CREATE OR REPLACE FUNCTION catalogue_edits(entered text, word text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT least(
    public.levenshtein(entered, word),
    1 + min(public.levenshtein(
        left(entered, i - 1) || reverse(substr(entered, i, 2)) || substr(entered, i + 2), word
    ))
)
FROM generate_series(1, length(entered) - 1) AS i
$$;

-- The nearest word of the vocabulary, or NULL.
CREATE OR REPLACE FUNCTION catalogue_nearest(entered text) RETURNS text
LANGUAGE plpgsql STABLE STRICT
-- The planner can't estimate how many words have a variant, and would read all.
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
AS $$
DECLARE
    most CONSTANT integer := catalogue_max_edits(entered);
    variants CONSTANT text[] := catalogue_variants(entered, most);
BEGIN
    IF most = 0 THEN
        RETURN NULL;
    END IF;
    RETURN (
        WITH similar_words AS MATERIALIZED (
            SELECT word FROM vocabulary
            WHERE word !~ '[0-9]'
                AND catalogue_variants(word, 2) && variants COLLATE "C"
                AND length(word) BETWEEN length(entered) - most AND length(entered) + most
                -- A swap counts as two here.
                AND levenshtein_less_equal(entered, word, most + 1) <= most + 1
        ), near_words AS MATERIALIZED (
            SELECT word, catalogue_edits(entered, word) AS edits FROM similar_words
        )
        SELECT word FROM near_words
        WHERE edits <= most
        ORDER BY edits, similarity(word, entered) DESC, word COLLATE "C"
        LIMIT 1
    );
END
$$;

-- Whether the vocabulary has a word, or one that begins so.
CREATE FUNCTION catalogue_has(entered text, is_beginning boolean) RETURNS boolean
LANGUAGE sql STABLE
AS $$
SELECT CASE
    WHEN is_beginning THEN starts_with(next_word, entered) ELSE next_word = entered
END
FROM (
    SELECT min(word COLLATE "C") AS next_word FROM vocabulary WHERE word COLLATE "C" >= entered
) AS next_words
$$;

-- The words, each that the vocabulary doesn't have replaced by the nearest one. The search takes the
-- last word as a beginning, so one that begins a word stays, too.
CREATE OR REPLACE FUNCTION catalogue_corrected(words text[]) RETURNS text[]
LANGUAGE sql STABLE
AS $$
SELECT array_agg(
    CASE
        WHEN catalogue_has(catalogue_plain(entered), position = cardinality(words)) THEN entered
        ELSE coalesce(catalogue_nearest(catalogue_plain(entered)), entered)
    END
    ORDER BY position
)
FROM unnest(words) WITH ORDINALITY AS each_word (entered, position)
$$;

-- Matches among the next `window_rows` courses in the order of the titles.
CREATE FUNCTION catalogue_next(
    query tsquery, after_key text, after_id text, window_rows integer, most integer
)
RETURNS TABLE (id text, sort_key text, rank integer)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
SELECT c.id, c.sort_key, 2
FROM (
    SELECT * FROM courses AS n
    WHERE NOT n.archived AND (n.sort_key, n.id) > (after_key COLLATE "C", after_id)
    ORDER BY n.sort_key, n.id
    LIMIT window_rows
) AS c
WHERE query IS NULL OR c.words @@ query
ORDER BY c.sort_key, c.id
LIMIT most
$$;

-- All matches by the index of words, sorted by title.
CREATE FUNCTION catalogue_sorted(
    query tsquery, after_key text, after_id text, skipped integer, most integer
)
RETURNS TABLE (id text, sort_key text, rank integer)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
AS $$
SELECT c.id, c.sort_key, 2
FROM courses AS c
WHERE c.words @@ query AND NOT c.archived
    AND (c.sort_key, c.id) > (after_key COLLATE "C", after_id)
ORDER BY c.sort_key, c.id
OFFSET skipped LIMIT most
$$;

-- Matches in the order of the titles, after a title. The courses of a language can be far behind
-- the title: the characters of Hindi come after those of English. So only the next ones are read in
-- their order, and if these have too few matches, all matches are sorted.
CREATE OR REPLACE FUNCTION catalogue_many(
    query tsquery, after_key text, after_id text, most integer
)
RETURNS TABLE (id text, sort_key text, rank integer)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    window_rows CONSTANT integer := CASE WHEN query IS NULL THEN most ELSE 2000 END;
    matches integer;
BEGIN
    RETURN QUERY SELECT * FROM catalogue_next(query, after_key, after_id, window_rows, most);
    GET DIAGNOSTICS matches = ROW_COUNT;
    IF matches < most AND query IS NOT NULL THEN
        RETURN QUERY
        SELECT * FROM catalogue_sorted(query, after_key, after_id, matches, most - matches);
    END IF;
END
$$;

-- As before, with each stem once: most words have the same stem in all languages, and the index
-- would be read for each.
CREATE OR REPLACE FUNCTION catalogue_query(words text[], language text, subject text)
RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
-- Without the notice that a stop word isn't a query.
SET client_min_messages = warning
AS $$
DECLARE
    whole tsquery;
    one tsquery;
    stem tsquery;
    stems tsquery[];
    plain text;
    stemmed text;
BEGIN
    FOR i IN 1 .. coalesce(array_length(words, 1), 0) LOOP
        plain := catalogue_plain(words[i]);
        one := to_tsquery('pg_catalog.simple'::regconfig,
            quote_literal(replace(plain, '\', ' '))
            || CASE WHEN i = array_length(words, 1) THEN ':*' ELSE '' END);
        stems := ARRAY[plainto_tsquery('pg_catalog.simple'::regconfig, plain)];
        FOREACH stemmed IN ARRAY coalesce(
            CASE WHEN language IS NOT NULL THEN ARRAY[language] END,
            ARRAY['ar', 'de', 'en', 'es', 'fr', 'hi', 'pt']
        ) LOOP
            stem := plainto_tsquery(catalogue_stemmer(stemmed), words[i]);
            IF NOT stem = ANY(stems) THEN
                stems := stems || stem;
                one := one || stem;
            END IF;
        END LOOP;
        whole := CASE WHEN whole IS NULL THEN one ELSE whole && one END;
    END LOOP;
    IF language IS NOT NULL THEN
        one := array_to_tsvector(ARRAY['/language/' || language])::text::tsquery;
        whole := CASE WHEN whole IS NULL THEN one ELSE whole && one END;
    END IF;
    IF subject IS NOT NULL THEN
        one := array_to_tsvector(ARRAY['/subject/' || subject])::text::tsquery;
        whole := CASE WHEN whole IS NULL THEN one ELSE whole && one END;
    END IF;
    RETURN whole;
END
$$;
