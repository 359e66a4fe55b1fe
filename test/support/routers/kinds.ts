import { bird } from './bird.ts';
import { exabgp } from './exabgp.ts';
import { frr } from './frr.ts';
import { gobgp } from './gobgp.ts';
import { openbgpd } from './openbgpd.ts';
import type { RouterKind } from './router.ts';

export const routerKinds: readonly RouterKind[] = [frr, bird, gobgp, exabgp, openbgpd];
