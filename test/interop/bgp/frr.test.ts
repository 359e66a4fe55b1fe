import { frr } from '../../support/routers/frr.ts';
import { testWith } from './matrix.ts';

testWith(frr);
