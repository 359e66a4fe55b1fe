import type { Clock } from '../../runtime/clock.ts';

export type StoryOptions = {
  readonly clock: Clock;
  readonly write: (text: string) => void;
  /** Whether to mark headings with colour: a terminal, and NO_COLOR not set. */
  readonly colour: boolean;
};

/** Tells what happens, as it happens: each line with the time since the beginning. */
export class Story {
  readonly #options: StoryOptions;
  readonly #begun: number;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.#begun = options.clock.now();
  }

  /** A new chapter. */
  chapter(title: string): void {
    this.#options.write(`\n${this.#paint('1;36', title)}\n`);
  }

  say(text: string): void {
    const seconds = ((this.#options.clock.now() - this.#begun) / 1000).toFixed(2).padStart(6);
    this.#options.write(`${this.#paint('2', `${seconds} s`)}  ${text}\n`);
  }

  /** A command that is run, as a person would type it. */
  command(text: string): void {
    this.say(this.#paint('1', `$ ${text}`));
  }

  /** What a command printed, indented under it. */
  output(text: string): void {
    for (const line of text.trimEnd().split('\n')) this.#options.write(`            ${line}\n`);
  }

  good(text: string): void {
    this.say(this.#paint('32', `✔ ${text}`));
  }

  bad(text: string): void {
    this.say(this.#paint('31', `✘ ${text}`));
  }

  /** Columns as wide as their longest cell; the first two to the left, the others to the right. */
  table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
    const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => row[i]?.length ?? 0)));
    const line = (cells: readonly string[]) =>
      cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join('  ');
    this.#options.write(`  ${this.#paint('2', line(headings))}\n`);
    for (const row of rows) this.#options.write(`  ${line(row)}\n`);
  }

  #paint(code: string, text: string): string {
    return this.#options.colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
