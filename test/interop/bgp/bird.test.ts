import { bird } from '../../support/routers/bird.ts';
import { testWith } from './matrix.ts';

testWith(bird);
