import { readdirSync, readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

/** One object of a fixture: anything that is written like a resource. */
export type FixtureObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly status?: object;
};

/** A file of test/fixtures/resources, and what its head says of it. */
export type ResourceFixture = {
  readonly file: string;
  readonly objects: readonly FixtureObject[];
  /** `schema`: already by the CustomResourceDefinition. `semantics`: by our parser alone. Undefined: by nobody. */
  readonly refusedBy: 'schema' | 'semantics' | undefined;
  /** The field that is to blame; empty in a good one. */
  readonly field: string;
};

const folder = new URL('../fixtures/resources/', import.meta.url);

/** All fixtures, by file. Throws for a bad one whose head does not say by whom it is refused, and where. */
export function resourceFixtures(): readonly ResourceFixture[] {
  return ['good', 'bad'].flatMap((verdict) => {
    const files = readdirSync(new URL(`${verdict}/`, folder)).filter((file) => file.endsWith('.yaml'));
    return files.sort().map((file) => readFixture(`${verdict}/${file}`, verdict === 'bad'));
  });
}

function readFixture(file: string, bad: boolean): ResourceFixture {
  const text = readFileSync(new URL(file, folder), 'utf8');
  const objects = parseAllDocuments(text).map((document) => document.toJS() as FixtureObject);
  const refusedBy = /^# refused by: (schema|semantics)$/m.exec(text)?.[1] as ResourceFixture['refusedBy'];
  const field = /^# field: (\S+)$/m.exec(text)?.[1] ?? '';
  if (bad !== (refusedBy !== undefined) || bad !== (field !== '')) {
    throw new Error(`${file}: a bad fixture, and no other, starts with "# refused by:" and "# field:"`);
  }
  return { file, objects, refusedBy, field };
}
