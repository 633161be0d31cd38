-- A short word with one wrong character has few trigrams in common with the right one: in Hindi and
-- Vietnamese, most words are short. Words of about the same length are compared by their edits, too.
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch;
CREATE INDEX vocabulary_lengths ON vocabulary (length(word));

-- The number of characters to insert, remove or replace; two in the wrong order count once.
CREATE FUNCTION catalogue_edits(entered text, word text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
AS $$
SELECT CASE
    WHEN edits = 2 AND length(entered) = length(word) AND (
        SELECT string_agg(symbol, '' ORDER BY symbol) FROM string_to_table(entered, NULL) AS symbol
    ) = (
        SELECT string_agg(symbol, '' ORDER BY symbol) FROM string_to_table(word, NULL) AS symbol
    ) THEN 1
    ELSE edits
END
FROM levenshtein(left(entered, 255), word) AS edits  -- its limit
$$;

-- The nearest word of the vocabulary, or NULL.
CREATE FUNCTION catalogue_nearest(entered text) RETURNS text
LANGUAGE sql STABLE
SET pg_trgm.similarity_threshold = 0.3
AS $$
SELECT word
FROM (
    SELECT word FROM vocabulary WHERE word % entered
    UNION
    SELECT word FROM vocabulary
    WHERE length(entered) BETWEEN 3 AND 8
        AND length(word) BETWEEN length(entered) - 1 AND length(entered) + 1
        AND levenshtein_less_equal(entered, word, 2) <= 2
        AND catalogue_edits(entered, word) = 1
) AS candidates
ORDER BY catalogue_edits(entered, word), similarity(word, entered) DESC, word
LIMIT 1
$$;

CREATE OR REPLACE FUNCTION catalogue_corrected(words text[]) RETURNS text[]
LANGUAGE sql STABLE
AS $$
SELECT array_agg(
    CASE
        WHEN EXISTS (SELECT FROM vocabulary WHERE word = catalogue_plain(entered)) THEN entered
        ELSE coalesce(catalogue_nearest(catalogue_plain(entered)), entered)
    END
    ORDER BY position
)
FROM unnest(words) WITH ORDINALITY AS each_word (entered, position)
$$;
