/**
 * The place of an address in its pool: a whole number from 0 on. Most are small, and plain numbers are several times as
 * fast as BigInt; those above 2^53 - 1 are BigInt. Of one number there is one form only, so positions can be compared
 * by `<` and `===` and used as keys.
 */
export type Position = number | bigint;

export function toPosition(value: bigint): Position {
  return value <= largestNumber ? Number(value) : value;
}

export function next(position: Position): Position {
  if (typeof position === 'bigint') return position + 1n;
  return position < Number.MAX_SAFE_INTEGER ? position + 1 : largestNumber + 1n;
}

export function previous(position: Position): Position {
  return typeof position === 'number' ? position - 1 : toPosition(position - 1n);
}

const largestNumber = BigInt(Number.MAX_SAFE_INTEGER);
