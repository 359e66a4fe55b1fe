import { hash } from 'node:crypto';

/** The hash by which elections are decided and names are made. */
export function sha256(text: string): Uint8Array {
  return hash('sha256', text, 'buffer');
}
