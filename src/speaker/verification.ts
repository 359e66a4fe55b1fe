import type { Claim } from '../election/claims.ts';
import { compareBytes, type Hash } from '../election/metallb.ts';
import { type Address, formatAddress } from '../ip/address.ts';
import type { Clock, Timer } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { Pace } from '../runtime/pace.ts';
import type { NodeReport } from './node-report.ts';
import {
  type AskedClaim,
  decodeVerification,
  encodeVerification,
  maxAnswers,
  maxAsked,
} from './verification-message.ts';
import { verifiersOf } from './verifiers.ts';

/** Of the addresses that a node claims at once, so many are asked about. */
const sampleSize = 50;
/** Questions a second. */
const rate = 50;
/** If a verifier has not told by then, it is the next one's turn; milliseconds. */
const turnTime = 1_000;
/** So many get a turn. */
const turns = 3;
/** How long an answer is waited for, twice; milliseconds. */
const patience = 400;
/** After the first answer, for how long another host may answer, too; milliseconds. */
const listening = 100;
/** Within this time answers to one node are one message; milliseconds. */
const gatherTime = 20;
/**
 * For how long after the start it is not looked at what others claim, milliseconds: who has been at work before us has
 * been verified, and we hear of it only now. What has been claimed since our start is news then.
 */
const warmUp = 5_000;

/** The part of the bulletins that verification needs. */
export type ClaimBoard = {
  reportOf(node: string): Pick<NodeReport, 'node' | 'interfaces' | 'claims'> | undefined;
  claimsOf(address: string): readonly Claim[];
  tell(node: string, bytes: Uint8Array): void;
};

export type VerifierOptions = {
  readonly node: string;
  readonly board: ClaimBoard;
  /** The nodes with a living speaker, this one included. Those without a report take no part. */
  readonly speakers: () => Iterable<string>;
  /** Asks the LAN who has the addresses; `answered` is told. */
  readonly ask: (addresses: readonly Address[]) => void;
  readonly hash: Hash;
  readonly clock: Clock;
  readonly log: Logger;
};

type Fresh = { readonly address: Address; readonly since: number };

/** A question to the LAN: waits for its turn, is asked up to twice, and then told of. */
type Question = Fresh & {
  readonly claimer: string;
  readonly claimed: number;
  /** Whose turn it is when this node does not tell. */
  readonly behind: readonly string[];
  readonly macs: Set<string>;
  asked: number;
  timer: Timer | undefined;
};

/**
 * Asks the LAN who has what another node has just claimed, and tells that node: a speaker cannot hear itself. Of the
 * living speakers on the LAN one asks about an address; the next one does if the first does not tell it within a second.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #pace: Pace;
  readonly #startedAt: number;
  readonly #warmUp: Timer;
  #isWarm = false;
  /** What a node claimed when last looked at. */
  readonly #known = new Map<string, { readonly report: object; readonly since: ReadonlyMap<string, number> }>();
  readonly #questions = new Map<string, Question>(); // by the address's text
  readonly #outbox = new Map<string, { readonly claimed: number; readonly asked: AskedClaim[] }>();
  #sending: Timer | undefined;
  #closed = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#pace = new Pace({ rate, burst: sampleSize, clock: options.clock });
    this.#startedAt = options.clock.wallTime();
    this.#warmUp = options.clock.after(warmUp, () => {
      this.#isWarm = true;
      this.#look(this.#startedAt);
    });
  }

  /** To be called when what other speakers tell has changed. Looks only at what has. */
  look(): void {
    if (this.#isWarm && !this.#closed) this.#look(-1);
  }

  /** Somebody on the LAN has said that he has the address. */
  answered(address: Address, mac: string): void {
    const question = this.#questions.get(formatAddress(address));
    if (question === undefined || question.asked === 0 || question.macs.size >= maxAnswers) return;
    question.macs.add(mac);
    if (question.macs.size > 1) return;
    this.#wait(question, listening, () => this.#conclude(question));
  }

  /** What another speaker tells that it asked: no need to ask the same. */
  told(bytes: Uint8Array): void {
    for (const { address, since } of decodeVerification(bytes)?.asked ?? []) {
      const question = this.#questions.get(formatAddress(address));
      if (question?.since === since && question.asked === 0) this.#drop(question);
    }
  }

  /** Nothing is asked or told any more. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#warmUp.cancel();
    for (const question of this.#questions.values()) question.timer?.cancel();
    this.#questions.clear();
    this.#sending?.cancel();
    this.#outbox.clear();
  }

  /** Of a node that is looked at for the first time, what it has claimed later than this is news. */
  #look(after: number): void {
    const { node, board, speakers } = this.#options;
    const names = [...speakers()];
    let reports: readonly Pick<NodeReport, 'node' | 'interfaces'>[] | undefined;
    for (const claimer of names) {
      const report = claimer === node ? undefined : board.reportOf(claimer);
      if (report === undefined || this.#known.get(claimer)?.report === report) continue;
      const fresh = this.#freshIn(claimer, report, after);
      reports ??= names.flatMap((name) => board.reportOf(name) ?? []);
      for (const claim of this.#sampleOf(claimer, fresh)) this.#plan(claimer, claim, fresh.length, reports);
    }
    for (const known of this.#known.keys()) if (board.reportOf(known) === undefined) this.#known.delete(known);
  }

  #freshIn(claimer: string, report: Pick<NodeReport, 'claims'>, after: number): readonly Fresh[] {
    const before = this.#known.get(claimer)?.since;
    const otherwise = before === undefined ? after : -1;
    const since = new Map<string, number>();
    const fresh: Fresh[] = [];
    for (const claim of report.claims) {
      const text = formatAddress(claim.address);
      since.set(text, claim.since);
      if (claim.since > (before?.get(text) ?? otherwise)) fresh.push(claim);
    }
    this.#known.set(claimer, { report, since });
    return fresh;
  }

  /** The same on every node that has heard the same. */
  #sampleOf(claimer: string, fresh: readonly Fresh[]): readonly Fresh[] {
    if (fresh.length <= sampleSize) return fresh;
    const { hash } = this.#options;
    return fresh
      .map((claim) => ({ claim, digest: hash(`${claimer}#${formatAddress(claim.address)}#${claim.since}`) }))
      .sort((a, b) => compareBytes(a.digest, b.digest))
      .slice(0, sampleSize)
      .map(({ claim }) => claim);
  }

  #plan(
    claimer: string,
    claim: Fresh,
    claimed: number,
    reports: readonly Pick<NodeReport, 'node' | 'interfaces'>[],
  ): void {
    const { node, hash } = this.#options;
    const text = formatAddress(claim.address);
    const verifiers = verifiersOf(text, claimer, reports, hash).slice(0, turns);
    const turn = verifiers.indexOf(node);
    if (turn === -1) return;
    this.#questions.get(text)?.timer?.cancel();
    const behind = verifiers.slice(turn + 1);
    const question = { ...claim, claimer, claimed, behind, macs: new Set<string>(), asked: 0, timer: undefined };
    this.#questions.set(text, question);
    if (turn === 0) this.#begin(question);
    else this.#wait(question, turn * turnTime, () => this.#begin(question));
  }

  #begin(question: Question): void {
    this.#wait(question, this.#pace.take(), () => this.#ask(question));
  }

  #ask(question: Question): void {
    if (!this.#stands(question)) {
      this.#drop(question);
      return;
    }
    question.asked += 1;
    const isLast = question.asked === 2;
    this.#wait(question, patience, () => (isLast ? this.#conclude(question) : this.#begin(question)));
    this.#options.ask([question.address]);
  }

  #conclude(question: Question): void {
    this.#drop(question);
    // It has been taken by another since: what was heard says nothing.
    if (!this.#stands(question)) return;
    const { claimer, claimed, behind, address, since, macs } = question;
    for (const recipient of [claimer, ...behind]) {
      const letter = this.#outbox.get(recipient) ?? { claimed, asked: [] };
      this.#outbox.set(recipient, { claimed: Math.max(claimed, letter.claimed), asked: letter.asked });
      letter.asked.push({ address, since, macs: [...macs] });
    }
    this.#sending ??= this.#options.clock.after(gatherTime, () => this.#send());
  }

  #send(): void {
    const { board, log } = this.#options;
    this.#sending = undefined;
    for (const [recipient, { claimed, asked }] of this.#outbox) {
      log.debug('claims asked about', { of: recipient, asked: asked.length, claimed });
      for (let i = 0; i < asked.length; i += maxAsked) {
        board.tell(recipient, encodeVerification({ claimed, asked: asked.slice(i, i + maxAsked) }));
      }
    }
    this.#outbox.clear();
  }

  #stands({ address, claimer, since }: Question): boolean {
    const claims = this.#options.board.claimsOf(formatAddress(address));
    return claims.some((claim) => claim.node === claimer && Math.trunc(claim.since) === since);
  }

  #wait(question: Question, delay: number, then: () => void): void {
    question.timer?.cancel();
    question.timer = this.#options.clock.after(delay, then);
  }

  #drop(question: Question): void {
    question.timer?.cancel();
    const text = formatAddress(question.address);
    if (this.#questions.get(text) === question) this.#questions.delete(text);
  }
}
