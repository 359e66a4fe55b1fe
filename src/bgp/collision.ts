/** One side of a session, as its OPEN says. */
export type Speaker = { readonly asn: number; readonly routerId: number };

/**
 * Which of two connections between the same speakers stays (RFC 4271 section 6.8): the one that the higher BGP
 * identifier has opened; of equal ones, the one of the higher AS (RFC 6286 section 2.3). Both sides come to the same.
 */
export function surviving(ours: Speaker, theirs: Speaker): 'outgoing' | 'incoming' {
  if (ours.routerId !== theirs.routerId) return ours.routerId > theirs.routerId ? 'outgoing' : 'incoming';
  return ours.asn > theirs.asn ? 'outgoing' : 'incoming';
}
