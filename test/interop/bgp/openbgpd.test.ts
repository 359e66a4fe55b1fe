import { openbgpd } from '../../support/routers/openbgpd.ts';
import { testWith } from './matrix.ts';

testWith(openbgpd);
