/** An array as PostgreSQL reads it, of texts. The driver writes the same, at several times the cost. */
export function textArray(values: readonly string[]): string {
  let text = '{';
  for (const value of values) {
    if (text.length > 1) text += ',';
    text += `"${/["\\]/.test(value) ? value.replace(/["\\]/g, '\\$&') : value}"`;
  }
  return `${text}}`;
}

/** The same of values that have no character to be quoted: numbers, UUIDs, times. */
export function plainArray(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`;
}
