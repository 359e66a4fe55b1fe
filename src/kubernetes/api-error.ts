import type { Status } from './core.ts';

/**
 * Why a call to the API server failed.
 * - `refused`: the server answered, and said no; `status` and `reason` say why.
 * - `unreachable`: no connection, or it broke before the answer was complete.
 * - `timeout`: no complete answer within the time allowed.
 * - `aborted`: the caller aborted, or the client was closed.
 * - `too-large`: the answer, or one line of a watch, passed its limit.
 * - `garbled`: the answer is no JSON of the expected form.
 * - `credentials`: reading the kubeconfig's credentials failed (a token file, an exec plug-in).
 */
export type ApiErrorCode = 'refused' | 'unreachable' | 'timeout' | 'aborted' | 'too-large' | 'garbled' | 'credentials';

/** The longest wait a server may ask of us, in milliseconds. */
const longestRetryAfter = 60_000;

/** A failed call. The message says what was attempted on what, and why it failed. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  /** The HTTP status or the code of a Status object; 0 when no answer arrived. */
  readonly status: number;
  /** Kubernetes' machine-readable reason (`NotFound`, `Conflict`, `Expired`); empty when there is none. */
  readonly reason: string;
  /** How long the server asks to wait before the next try, in milliseconds. */
  readonly retryAfter: number | undefined;

  constructor(
    action: string,
    why: string,
    options: {
      readonly code: ApiErrorCode;
      readonly status?: number;
      readonly reason?: string;
      readonly retryAfter?: number | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(`${action}: ${why}`, { cause: options.cause });
    this.code = options.code;
    this.status = options.status ?? 0;
    this.reason = options.reason ?? '';
    this.retryAfter = options.retryAfter;
  }
}

/** The refusal that a Status object describes. `retryAfter` is the value of the header of that name. */
export function refusal(action: string, status: Status, retryAfter?: string): ApiError {
  const code = status.code ?? 0;
  const reason = status.reason ?? '';
  const seconds = /^\d{1,9}$/.test(retryAfter ?? '') ? Number(retryAfter) : status.details?.retryAfterSeconds;
  return new ApiError(action, [code, reason, status.message].filter(Boolean).join(' '), {
    code: 'refused',
    status: code,
    reason,
    retryAfter: seconds === undefined ? undefined : Math.min(Math.max(seconds, 0) * 1000, longestRetryAfter),
  });
}

/** Whether the server is there, and would say the same again: not that it is busy, or that a token has expired. */
export function isDenial(error: unknown): boolean {
  const status = error instanceof ApiError && error.code === 'refused' ? error.status : 0;
  return status >= 400 && status < 500 && ![408, 410, 429].includes(status);
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** 409 for another reason than `AlreadyExists`: someone else wrote first. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason !== 'AlreadyExists';
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409 && error.reason === 'AlreadyExists';
}
