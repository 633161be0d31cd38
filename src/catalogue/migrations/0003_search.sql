-- The search: few matches are sorted, title first; many are read in the order of an index.

-- Every word must match by its stem or without accents, the last one as a beginning: visitors search
-- while they type. Without a language, the stems of all languages count.
CREATE FUNCTION catalogue_query(words text[], language text, subject text) RETURNS tsquery
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
-- Without the notice that a stop word isn't a query.
SET client_min_messages = warning
AS $$
DECLARE
    whole tsquery;
    one tsquery;
    word text;
    stemmed text;
BEGIN
    FOR i IN 1 .. coalesce(array_length(words, 1), 0) LOOP
        word := words[i];
        one := to_tsquery('pg_catalog.simple'::regconfig,
            quote_literal(replace(catalogue_plain(word), '\', ' '))
            || CASE WHEN i = array_length(words, 1) THEN ':*' ELSE '' END);
        FOREACH stemmed IN ARRAY coalesce(
            CASE WHEN language IS NOT NULL THEN ARRAY[language] END,
            ARRAY['ar', 'de', 'en', 'es', 'fr', 'hi', 'pt']
        ) LOOP
            one := one || plainto_tsquery(catalogue_stemmer(stemmed), word);
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

-- Every word in the title, as a beginning without accents.
CREATE FUNCTION catalogue_titles(words text[]) RETURNS tsquery
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET client_min_messages = warning
AS $$
SELECT to_tsquery('pg_catalog.simple'::regconfig, string_agg(
    quote_literal(replace(catalogue_plain(word), '\', ' ')) || ':*A', ' & '
))
FROM unnest(words) AS word
$$;

-- At most `most` matches, by the index of words. The planner would often read all courses in their
-- order instead, because it can't estimate a beginning.
CREATE FUNCTION catalogue_few(query tsquery, titles tsquery, most integer)
RETURNS TABLE (id text, sort_key text, rank integer)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off
AS $$
SELECT c.id, c.sort_key, CASE WHEN titles IS NULL OR c.words @@ titles THEN 0 ELSE 1 END
FROM courses AS c
WHERE c.words @@ query AND NOT c.archived
LIMIT most
$$;

-- Matches in the order of the titles, after a title: cheap if many courses match.
CREATE FUNCTION catalogue_many(query tsquery, after_key text, after_id text, most integer)
RETURNS TABLE (id text, sort_key text, rank integer)
LANGUAGE sql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
SELECT c.id, c.sort_key, 2
FROM courses AS c
WHERE NOT c.archived
    AND (c.sort_key, c.id) > (after_key COLLATE "C", after_id)
    AND (query IS NULL OR c.words @@ query)
ORDER BY c.sort_key, c.id
LIMIT most
$$;

-- A page of matches. `after_rank` is the rank of the last match of the page before: 0 and 1 of few
-- matches (in the title, elsewhere), 2 of many, -1 for the first page.
CREATE FUNCTION catalogue_search(
    words text[], language text, subject text,
    after_rank integer, after_key text, after_id text, most integer
)
RETURNS TABLE (id text, sort_key text, rank integer)
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    query tsquery := catalogue_query(words, language, subject);
    limit_of_few CONSTANT integer := 1000;
    matches integer;
BEGIN
    IF query IS NOT NULL AND after_rank < 2 THEN
        SELECT count(*) INTO matches FROM catalogue_few(query, NULL, limit_of_few + 1);
        -- A page follows the order of the page before, even if a course was added meanwhile.
        IF matches <= limit_of_few OR after_rank >= 0 THEN
            RETURN QUERY
            SELECT f.id, f.sort_key, f.rank
            FROM catalogue_few(query, catalogue_titles(words), limit_of_few) AS f
            WHERE (f.rank, f.sort_key COLLATE "C", f.id) > (after_rank, after_key, after_id)
            ORDER BY f.rank, f.sort_key COLLATE "C", f.id
            LIMIT most;
            RETURN;
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM catalogue_many(query, after_key, after_id, most);
END
$$;

-- The words, each that no course has replaced by the nearest one of the vocabulary.
CREATE FUNCTION catalogue_corrected(words text[]) RETURNS text[]
LANGUAGE sql STABLE
SET pg_trgm.similarity_threshold = 0.3
AS $$
SELECT array_agg(
    CASE
        WHEN EXISTS (
            SELECT FROM vocabulary WHERE word = catalogue_plain(entered)
        ) THEN entered
        ELSE coalesce(
            (
                SELECT word FROM vocabulary
                WHERE word % catalogue_plain(entered)
                ORDER BY similarity(word, catalogue_plain(entered)) DESC, word
                LIMIT 1
            ),
            entered
        )
    END
    ORDER BY position
)
FROM unnest(words) WITH ORDINALITY AS each_word (entered, position)
$$;
