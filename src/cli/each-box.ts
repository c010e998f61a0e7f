/** Commands that take several boxes: each is done by itself, and one that fails keeps none of the others from being done. */
import { DevboxError } from "../core/errors.ts";
import { writeOut } from "./ui/output.ts";

/**
 * Does it to each box in order, and prints its name as it was given (docker), unless `action` says that nothing was done.
 * @throws DevboxError the first failure, with the others in `alsoFailed`, when all are done
 */
export async function forEachBox(names: readonly string[], action: (name: string) => Promise<unknown>): Promise<void> {
  const failures: unknown[] = [];
  for (const name of names) {
    try {
      if ((await action(name)) !== "nothing done") writeOut(`${name}\n`);
    } catch (error) {
      failures.push(error);
      if (error instanceof DevboxError && error.code === "INTERRUPTED") break;
    }
  }
  const [first, ...others] = failures;
  if (first instanceof DevboxError) first.alsoFailed.push(...others);
  if (first !== undefined) throw first;
}
