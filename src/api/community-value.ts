/** A BGP community (RFC 1997): two numbers of 16 bits; or a large one (RFC 8092): three of 32 bits. */
export type CommunityValue = readonly [number, number] | readonly [number, number, number];

export type CommunityProblem = 'not-a-value' | 'bad-number' | 'bad-marker';

/** As in deploy/crds. */
export const maxCommunityLength = 64;

/**
 * Parses `64512:100` or `large:64512:1:2`. `not-a-value`: with any other number of colons it can only be the name of
 * an alias, of which a Community resource gives the value.
 */
export function parseCommunity(text: string): CommunityValue | CommunityProblem {
  const [first = '', ...rest] = text.split(':');
  if (rest.length === 1) return readNumbers([first, ...rest], 0xffff) as CommunityValue | 'bad-number';
  if (rest.length !== 3) return 'not-a-value';
  return first === 'large' ? (readNumbers(rest, 0xffffffff) as CommunityValue | 'bad-number') : 'bad-marker';
}

export function formatCommunity(value: CommunityValue): string {
  return value.length === 3 ? `large:${value.join(':')}` : value.join(':');
}

/** Large ones after the others, each by value. */
export function compareCommunities(a: CommunityValue, b: CommunityValue): number {
  if (a.length !== b.length) return a.length - b.length;
  const differs = a.findIndex((number, i) => number !== b[i]);
  return differs === -1 ? 0 : (a[differs] ?? 0) - (b[differs] ?? 0);
}

export function communityRemedy(problem: CommunityProblem): string {
  switch (problem) {
    case 'not-a-value':
      return 'is no community: write 64512:100, or large:64512:1:2';
    case 'bad-number':
      return 'is no community: write two numbers from 0 to 65535, or large: and three from 0 to 4294967295';
    case 'bad-marker':
      return 'is no community: four parts must begin with large, as in large:64512:1:2';
    default:
      return problem satisfies never;
  }
}

function readNumbers(texts: readonly string[], most: number): readonly number[] | 'bad-number' {
  const isNumber = (text: string) => /^0*[0-9]{1,10}$/.test(text) && Number(text) <= most;
  return texts.every(isNumber) ? texts.map(Number) : 'bad-number';
}
