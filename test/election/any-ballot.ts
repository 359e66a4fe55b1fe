import fc from 'fast-check';
import type { Ballot, BallotAddress } from '../../src/election/strategy.ts';

const all = [0, 1, 2, 3, 4, 5, 6, 7, 8];

const anyNodes = fc.uniqueArray(fc.constantFrom(...all), { minLength: 1, maxLength: 7 }).chain((numbers) =>
  fc.tuple(
    ...numbers.map((number) =>
      fc.record({
        name: fc.constant(`node-${number}`),
        weight: fc.constantFrom(1, 1, 1, 1, 2, 3, 0),
        returning: fc.constantFrom(false, false, false, true),
      }),
    ),
  ),
);

/** Up to `most` addresses that may be anywhere or on some nodes; held by anybody, dead or alive. */
export const anyBallot = (most: number): fc.Arbitrary<Ballot> =>
  fc
    .tuple(
      anyNodes,
      fc.array(
        fc.record({
          service: fc.nat(most),
          some: fc.option(fc.subarray(all), { nil: undefined, freq: 2 }),
          preferred: fc.constantFrom(-1, -1, -1, 0, 1, 2),
          // Mostly a few, so that these have too much.
          holder: fc.option(fc.constantFrom(0, 0, 0, 1, 1, ...all), { nil: undefined }),
        }),
        { maxLength: most },
      ),
    )
    .map(([nodes, given]) => ({ nodes, addresses: given.map(toAddress) }));

function toAddress(
  given: { service: number; some: number[] | undefined; preferred: number; holder: number | undefined },
  i: number,
): BallotAddress {
  const { service, some = all, preferred, holder } = given;
  return {
    address: `192.0.2.${i}`,
    service: `shop/web-${service}`,
    index: i,
    candidates: some.map((number) => ({ node: `node-${number}`, weight: number === preferred ? 10 : 0 })),
    holder: holder === undefined ? undefined : `node-${holder}`,
  };
}
