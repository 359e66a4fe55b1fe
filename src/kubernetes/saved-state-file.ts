import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeState,
  encodeState,
  type ReadTerms,
  type Refusal,
  type State,
  type StateOwner,
} from './saved-state-format.ts';

/** What is written and read at most: a hundred thousand Services. */
const maxBytes = 128 * 1024 * 1024;
/** Nobody but the owner: who may not read Services in the cluster shall not read them here. */
const fileMode = 0o600;
const directoryMode = 0o700;

/** Why a file was not used: what is in it, or that it cannot be read. */
export type FileRefusal = Refusal | { readonly refused: 'unreadable' | 'too-large'; readonly why: string };

/**
 * The state of one speaker in a directory of the node. At every moment the file is a whole one, the last or the one
 * before: it is written beside, brought to the disk, and put in its place by a rename.
 */
export class SavedStateFile {
  readonly path: string;
  readonly #directory: string;
  readonly #unfinished: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.path = join(directory, 'speaker.state');
    this.#unfinished = join(directory, 'speaker.state.new');
  }

  /** Rejects when it cannot be written; what was there before is there still. One at a time. */
  async write(owner: StateOwner, state: State): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: directoryMode });
    // One that was left by a killed process, or by somebody who would have us write elsewhere.
    await rm(this.#unfinished, { force: true });
    try {
      const file = await open(this.#unfinished, 'wx', fileMode);
      try {
        await writeAll(file, encodeState(owner, state));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(this.#unfinished, this.path);
    } catch (error) {
      // On a full disk, half a file would keep it full.
      await rm(this.#unfinished, { force: true }).catch(() => {});
      throw error;
    }
    await syncDirectory(this.#directory);
  }

  /** Undefined when there is none. Never rejects. */
  async read(terms: ReadTerms): Promise<State | FileRefusal | undefined> {
    try {
      const bytes = await readBounded(this.path);
      if (bytes === 'too-large') return { refused: 'too-large', why: `it is larger than ${maxBytes} bytes` };
      return decodeState(bytes, terms);
    } catch (error) {
      if (isErrno(error) && error.code === 'ENOENT') return undefined;
      return { refused: 'unreadable', why: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Between two pieces the event loop goes on with other work. */
async function writeAll(file: FileHandle, pieces: Iterable<Buffer>): Promise<void> {
  let written = 0;
  for (const piece of pieces) {
    written += piece.length;
    if (written > maxBytes) throw new Error(`the state of the cluster takes more than ${maxBytes} bytes`);
    await file.writeFile(piece);
  }
}

async function readBounded(path: string): Promise<Buffer | 'too-large'> {
  // Without O_NONBLOCK, opening a FIFO would wait for its other end.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(`${path} is no file`);
    return found.size > maxBytes ? 'too-large' : await file.readFile();
  } finally {
    await file.close();
  }
}

/** The rename, too, shall outlast a power failure. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
