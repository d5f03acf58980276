/** A longer key is not worth its memory: what is asked again and again is short. */
const longestKey = 1024;

/**
 * A pure function of a text that keeps its last results: of rows, most headers and many questions and answers are the
 * same. When `most` are kept, all are forgotten and it begins anew.
 */
export function remember<T>(make: (text: string) => T, most = 16_384): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const value = known.get(text);
    if (value !== undefined) return value;
    const made = make(text);
    if (text.length > longestKey) return made;
    if (known.size >= most) known.clear();
    known.set(text, made);
    return made;
  };
}
