import { isObject, type Json } from '../json.ts';

/** What a step of a path selects from one value. */
type Step = (value: Json) => readonly (Json | undefined)[];

/**
 * Compiles the JSONPath subset of additionalPrinterColumns: `.a.b`, `['a']`, `\.` in names, `[0]`, `[*]`, `.*` and
 * `[?(@.a=="b")]`. The result finds all values at the path. Returns undefined for a path that is none.
 */
export function compileJsonPath(path: string): ((value: Json) => Json[]) | undefined {
  const steps: Step[] = [];
  let rest = path;
  while (rest !== '') {
    const form = forms.find(({ pattern }) => pattern.test(rest));
    const match = form?.pattern.exec(rest);
    if (form === undefined || match === null || match === undefined) return undefined;
    steps.push(form.step(match));
    rest = rest.slice(match[0].length);
  }
  return (value) => {
    let found: (Json | undefined)[] = [value];
    for (const step of steps) found = found.flatMap((one) => (one === undefined || one === null ? [] : step(one)));
    return found.filter((one) => one !== undefined);
  };
}

const forms: readonly { readonly pattern: RegExp; readonly step: (match: RegExpExecArray) => Step }[] = [
  { pattern: /^\.\*/, step: () => every },
  { pattern: /^\.((?:\\.|[^.[\]\\])+)/, step: ([, name = '']) => field(name.replaceAll(/\\(.)/g, '$1')) },
  { pattern: /^\[\*\]/, step: () => every },
  { pattern: /^\[(-?\d{1,9})\]/, step: ([, index]) => item(Number(index)) },
  { pattern: /^\[(?:'([^']*)'|"([^"]*)")\]/, step: ([, a, b]) => field((a ?? b ?? '').replaceAll(/\\(.)/g, '$1')) },
  {
    pattern: /^\[\?\(\s*@((?:\.[\w-]+)+)\s*(==|!=)\s*(?:'([^']*)'|"([^"]*)"|(true|false|-?\d+))\s*\)\]/,
    step: ([, path = '', operator, a, b, bare]) => filter(path, operator === '==', a ?? b ?? bare ?? ''),
  },
];

const every: Step = (value) => (Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []);

function field(name: string): Step {
  return (value) => (isObject(value) && Object.hasOwn(value, name) ? [value[name]] : []);
}

function item(index: number): Step {
  return (value) => (Array.isArray(value) ? [value.at(index)] : []);
}

function filter(path: string, equals: boolean, wanted: string): Step {
  const find = compileJsonPath(path);
  return (value) =>
    every(value).filter((one) => {
      const [found] = one === undefined || find === undefined ? [] : find(one);
      return found !== undefined && (String(found) === wanted) === equals;
    });
}
