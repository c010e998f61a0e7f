/** When to try again, and how long to wait before: exponential backoff with jitter, `Retry-After` (RFC 9110 section 10.2.3). */

export interface RetryPolicy {
  /** Tries in all. */
  readonly attempts: number;
  /** The wait after the first failure; doubled after each further one. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** A registry that asks for a longer wait gets no further try: the user should know rather than wait. */
  readonly retryAfterMaxMs: number;
}

export const defaultRetryPolicy: RetryPolicy = { attempts: 5, baseMs: 500, maxMs: 15_000, retryAfterMaxMs: 60_000 };

/** 500, 502, 503, 504: the registry is ill. 408, 429: it asks to come back. Anything else will stay as it is. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || (status >= 502 && status <= 504);
}

/** The wait after the `failures`-th failure (from 1): half of it fixed, half by chance, so that many clients spread. */
export function backoffMs(policy: RetryPolicy, failures: number, random: () => number = Math.random): number {
  const full = Math.min(policy.maxMs, policy.baseMs * 2 ** (failures - 1));
  return full / 2 + (full / 2) * random();
}

/** `Retry-After: 120` or a date, as milliseconds from `now`; undefined: absent or unreadable. */
export function parseRetryAfter(value: string | undefined, now: Date): number | undefined {
  if (value === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}

/** Wait; rejects with the signal's reason as soon as it is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (signal.aborted) {
    reject(signal.reason);
    return promise;
  }
  const stop = (): void => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", stop);
    resolve();
  }, ms);
  signal.addEventListener("abort", stop, { once: true });
  return promise;
}
