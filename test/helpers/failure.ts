/** The DevboxError that an action throws; anything else, or nothing, fails the test. */
import { DevboxError } from "../../src/core/errors.ts";

export function failureOf(action: () => unknown): DevboxError {
  try {
    action();
  } catch (error) {
    if (error instanceof DevboxError) return error;
    throw error;
  }
  throw new Error("expected a DevboxError, but nothing was thrown");
}
