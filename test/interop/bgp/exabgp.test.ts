import { exabgp } from '../../support/routers/exabgp.ts';
import { testWith } from './matrix.ts';

testWith(exabgp);
