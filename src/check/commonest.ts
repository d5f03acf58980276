/** Those that are counted most often, of equal counts the earlier ones first. */
export function commonest<T extends { count: number }>(counted: readonly T[], most: number): T[] {
  return [...counted].sort((a, b) => b.count - a.count).slice(0, most);
}
