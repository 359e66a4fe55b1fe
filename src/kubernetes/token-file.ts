import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

/** The kubeconfig files that are read: the one given, those of `$KUBECONFIG`, or the one in the home directory. */
export function kubeconfigFiles(given: string | undefined): readonly string[] {
  if (given !== undefined) return [given];
  const named = (process.env.KUBECONFIG ?? '').split(delimiter).filter(Boolean);
  return named.length > 0 ? named : [join(homedir(), '.kube', 'config')];
}

/**
 * The content of the file that a user's `tokenFile` names (client-go's AuthInfo), read anew at each call, because such
 * tokens rotate. Undefined when the user has none. The client library knows only a spelling that no kubeconfig has.
 * Throws when the token cannot be read.
 */
export async function tokenFromFile(user: string, files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const text = readIfThere(file);
    if (text === undefined || !text.includes('tokenFile')) continue;
    // Imported when needed: few kubeconfigs have the field.
    const { parse } = await import('yaml');
    const users: unknown = parse(text)?.users;
    const found = Array.isArray(users) ? users.find((one) => one?.name === user)?.user?.tokenFile : undefined;
    if (typeof found !== 'string') continue;
    const path = resolve(dirname(file), found);
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (cause) {
      throw new Error(`read the token of user ${user} in ${file}: tokenFile ${path}`, { cause });
    }
  }
  return undefined;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // The library has read it, or said what is wrong.
  }
}
