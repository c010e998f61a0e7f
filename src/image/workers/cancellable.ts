/** Work of several parts that fails as a whole: when a part has failed, the others need not go on. */
import type { Context } from "../../core/context.ts";

export interface Cancellable {
  /** Is cancelled with the outer context, and by `cancel`. */
  readonly context: Context;
  readonly cancel: (reason: unknown) => void;
}

export function cancellable(context: Context): Cancellable {
  const scope = new AbortController();
  return {
    context: { ...context, signal: AbortSignal.any([context.signal, scope.signal]) },
    cancel: (reason) => scope.abort(reason),
  };
}
