/** Equal for equal values whose fields are in the same order; addresses included, which JSON does not know. */
export function valueText(value: unknown): string {
  return JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? String(part) : part));
}
