/** A number as it was typed. What is none stays text, so that its refusal can quote it; so does an empty one, which is no 0. */
export function numberOption(text: string): number | string {
  const value = Number(text);
  return text.trim() === '' || Number.isNaN(value) ? text : value;
}
