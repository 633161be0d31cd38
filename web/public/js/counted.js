// Numbers with their nouns, for the pages in English.
const number = new Intl.NumberFormat();

/** Returns a count with its noun, such as “1 batch”; without `many`, the plural ends in s. */
export const counted = (count, one, many = `${one}s`) => `${number.format(count)} ${count === 1 ? one : many}`;
