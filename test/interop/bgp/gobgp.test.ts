import { gobgp } from '../../support/routers/gobgp.ts';
import { testWith } from './matrix.ts';

testWith(gobgp);
