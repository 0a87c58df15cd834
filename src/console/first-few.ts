/** Names that a sentence has room for. */
const most = 5;

/** The first names of a list that may be long, with the number of the others: "a, b, c, d, e and 395 more". */
export function firstFew(names: readonly string[], separator = ', '): string {
  const others = names.length - most;
  // One more name is as short as its number.
  if (others <= 1) return names.join(separator);
  return `${names.slice(0, most).join(separator)} and ${others} more`;
}
