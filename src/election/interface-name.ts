/**
 * Whether an interface answers to one of the names and globs of an advertisement, by the rules of
 * native/interface_pattern.cc, which is fnmatch(3) without flags in the C locale: `*` any bytes, `?` one byte, `[a-z]`
 * and `[!a-z]` one of a set, `\` takes the next byte as it is. A text without `*`, `?` and `[` is a name. Only of a set that
 * is broken off in the middle, such as `[a-` or `[=]`, fnmatch may think otherwise.
 */
export function matchesInterface(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => pattern === name || (isGlob(pattern) && matchesGlob(pattern, name)));
}

function isGlob(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** A star, or what one byte has to be. */
type Token = '*' | ((byte: number) => boolean);

const cache = new Map<string, readonly Token[] | undefined>();
/** Advertisements have few globs; when they change, the old ones are forgotten. */
const maxCached = 1_024;

/** Linear in the name for each star: at most one of them has to be tried anew. */
function matchesGlob(pattern: string, name: string): boolean {
  const tokens = tokensOf(pattern);
  if (tokens === undefined) return false;
  const bytes = encoder.encode(name);
  let token = 0;
  let at = 0;
  let star = -1;
  let taken = 0;
  while (at < bytes.length) {
    const here = tokens[token];
    if (here === '*') {
      star = token;
      taken = at;
      token += 1;
    } else if (here?.(bytes[at] as number)) {
      token += 1;
      at += 1;
    } else if (star === -1) return false;
    else {
      token = star + 1;
      taken += 1;
      at = taken;
    }
  }
  return tokens.slice(token).every((rest) => rest === '*');
}

const encoder = new TextEncoder();

function tokensOf(pattern: string): readonly Token[] | undefined {
  if (cache.has(pattern)) return cache.get(pattern);
  if (cache.size >= maxCached) cache.clear();
  const tokens = tokenize(encoder.encode(pattern));
  cache.set(pattern, tokens);
  return tokens;
}

const [star, question, open, close, bang, caret, dash, backslash, dot, equals] = encoder.encode('*?[]!^-\\.=');

/** Undefined: matches nothing, because it ends in the middle of something. */
function tokenize(pattern: Uint8Array): readonly Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const byte = pattern[at] as number;
    if (byte === star) tokens.push('*');
    else if (byte === question) tokens.push(() => true);
    else if (byte === backslash) {
      at += 1;
      const next = pattern[at];
      if (next === undefined) return undefined;
      tokens.push((other) => other === next);
    } else {
      const set = byte === open ? readSet(pattern, at + 1) : undefined;
      tokens.push(set?.has ?? ((other) => other === byte));
      if (set !== undefined) at = set.end;
    }
  }
  return tokens;
}

/** The set whose `[` stands before `start`; undefined when it is never closed, and so none. `end` is where its `]` is. */
function readSet(pattern: Uint8Array, start: number) {
  const negated = pattern[start] === bang || pattern[start] === caret;
  const first = negated ? start + 1 : start;
  const ranges: (readonly [number, number])[] = [];
  for (let at = first; at < pattern.length; ) {
    if (pattern[at] === close && at > first) {
      const has = (byte: number) => ranges.some(([low, high]) => byte >= low && byte <= high) !== negated;
      return { has, end: at };
    }
    const low = readMember(pattern, at);
    if (low === 'open') return { has: () => false, end: pattern.length };
    if (low === undefined) return undefined;
    const isRange = pattern[low.next] === dash && pattern[low.next + 1] !== close && !low.isClass;
    const high = isRange ? readMember(pattern, low.next + 1) : low;
    if (high === undefined || high === 'open') return high && { has: () => false, end: pattern.length };
    ranges.push([low.byte, high.byte]);
    at = high.next;
  }
  return undefined;
}

/** A byte of a set: itself, after a backslash, or as `[.a.]` or `[=a=]`. `open`: `[.` without an end. */
function readMember(pattern: Uint8Array, at: number) {
  const byte = pattern[at];
  if (byte === undefined) return undefined;
  if (byte === backslash) {
    const next = pattern[at + 1];
    return next === undefined ? undefined : { byte: next, next: at + 2, isClass: false };
  }
  const kind = pattern[at + 1];
  if (byte === open && (kind === dot || kind === equals) && pattern[at + 3] === kind && pattern[at + 4] === close) {
    return { byte: pattern[at + 2] as number, next: at + 5, isClass: kind === equals };
  }
  if (byte === open && kind === dot) return 'open';
  return { byte, next: at + 1, isClass: false };
}
