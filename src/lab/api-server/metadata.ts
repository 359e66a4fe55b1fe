import type { Clock } from '../../runtime/clock.ts';
import { timestamp } from '../../runtime/clock.ts';
import type { Random } from '../../runtime/random.ts';
import { duplicate, type FieldError, forbidden, invalid, required, tooLong } from './field-error.ts';
import { type ApiObject, objectAt, objectsAt, stringsAt } from './json.ts';
import type { Kind, NameForm } from './kind.ts';

const maxSubdomainLength = 253;
const maxLabelLength = 63;
const maxAnnotationBytes = 256 * 1024;
/** What the real server appends to generateName: no vowels, nothing that looks like something else. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Rule =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const nameRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/** RFC 3339 in whole seconds, the form of every ordinary timestamp. */
export function now(clock: Clock): string {
  return `${timestamp(clock).slice(0, 19)}Z`;
}

/** A random version 4 UUID. */
export function newUid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function generatedName(prefix: string, random: Random): string {
  const suffix = Array.from({ length: suffixLength }, () => suffixAlphabet[random.integer(suffixAlphabet.length)]);
  return prefix.slice(0, maxLabelLength - suffixLength) + suffix.join('');
}

/** What is wrong with the metadata that a writer controls. */
export function validateMetadata(kind: Kind, object: ApiObject, before: ApiObject | undefined): FieldError[] {
  const { metadata } = object;
  const name = metadata.name ?? '';
  const errors: FieldError[] = [];
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else errors.push(...validateName('metadata.name', name, kind.nameForm));
  errors.push(...validateLabels('metadata.labels', objectAt(metadata, 'labels')));
  errors.push(...validateAnnotations(objectAt(metadata, 'annotations')));
  const finalizers = stringsAt(metadata, 'finalizers');
  for (const [i, finalizer] of finalizers.entries()) {
    if (!finalizer.includes('/') && !wellKnownFinalizers.has(finalizer)) {
      const rule = 'name is neither a standard finalizer name nor is it fully qualified';
      errors.push(invalid(`metadata.finalizers[${i}]`, finalizer, rule));
    }
    if (finalizers.indexOf(finalizer) < i) errors.push(duplicate(`metadata.finalizers[${i}]`, finalizer));
  }
  errors.push(...validateOwners(object));
  if (before?.metadata.deletionTimestamp !== undefined) {
    const old = stringsAt(before, 'metadata', 'finalizers');
    const added = finalizers.filter((finalizer) => !old.includes(finalizer));
    const list = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(', ')}}`;
    const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
    if (added.length > 0) errors.push(forbidden('metadata.finalizers', why));
  }
  return errors;
}

export function validateName(field: string, name: string, form: NameForm): FieldError[] {
  switch (form) {
    case 'label':
      return check(field, name, label, labelRule, maxLabelLength);
    case 'label-1035':
      return check(field, name, label1035, label1035Rule, maxLabelLength);
    case 'subdomain':
      return check(field, name, subdomain, subdomainRule, maxSubdomainLength);
    case 'path-segment':
      return /^\.{1,2}$|[/%]/.test(name) ? [invalid(field, name, "may not be '.' or '..' or contain '/' or '%'")] : [];
    default:
      return form satisfies never;
  }
}

const wellKnownFinalizers = new Set(['foregroundDeletion', 'orphan', 'kubernetes']);

function check(field: string, name: string, form: RegExp, rule: string, limit: number): FieldError[] {
  const errors: FieldError[] = [];
  if (name.length > limit) errors.push(invalid(field, name, `must be no more than ${limit} characters`));
  if (!form.test(name)) errors.push(invalid(field, name, rule));
  return errors;
}

function validateLabels(field: string, labels: Readonly<Record<string, unknown>>): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels)) {
    errors.push(...validateQualifiedName(field, key));
    const text = String(value);
    if (text.length > maxLabelLength)
      errors.push(invalid(field, text, `must be no more than ${maxLabelLength} characters`));
    else if (text !== '' && !qualifiedName.test(text)) errors.push(invalid(field, text, valueRule));
  }
  return errors;
}

function validateAnnotations(annotations: Readonly<Record<string, unknown>>): FieldError[] {
  const field = 'metadata.annotations';
  const errors = Object.keys(annotations).flatMap((key) => validateQualifiedName(field, key.toLowerCase()));
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + String(value).length, 0);
  return size > maxAnnotationBytes ? [...errors, tooLong(field, maxAnnotationBytes)] : errors;
}

function validateQualifiedName(field: string, key: string): FieldError[] {
  const slash = key.indexOf('/');
  const [prefix, name] = slash === -1 ? [undefined, key] : [key.slice(0, slash), key.slice(slash + 1)];
  const errors: FieldError[] = [];
  if (prefix !== undefined && !subdomain.test(prefix)) errors.push(invalid(field, key, `prefix part ${subdomainRule}`));
  if (name.length > maxLabelLength) {
    errors.push(invalid(field, key, `name part must be no more than ${maxLabelLength} characters`));
  }
  if (!qualifiedName.test(name)) errors.push(invalid(field, key, nameRule));
  return errors;
}

function validateOwners(object: ApiObject): FieldError[] {
  return objectsAt(object, 'metadata', 'ownerReferences').flatMap((owner, i) =>
    ['apiVersion', 'kind', 'name', 'uid']
      .filter((key) => typeof owner[key] !== 'string' || owner[key] === '')
      .map((key) => invalid(`metadata.ownerReferences[${i}].${key}`, '', 'must not be empty')),
  );
}
