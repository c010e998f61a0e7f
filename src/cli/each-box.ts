/** Commands that take several boxes or images: each is done by itself, and one that fails keeps none of the others from being done. */
import { DevboxError } from "../core/errors.ts";
import { writeOut } from "./ui/output.ts";

/**
 * Does it to each box, and prints its name as it was given (docker), unless `action` says that nothing was done.
 * @param order "at once": for what takes its time; names are printed in the order in which they were given nevertheless
 * @throws as `forEachName`
 */
export async function forEachBox(
  names: readonly string[],
  action: (name: string) => Promise<unknown>,
  order: "one by one" | "at once" = "one by one",
): Promise<void> {
  const started = order === "at once" ? names.map(action) : undefined;
  // Each is awaited below; that it fails in the meantime is no unhandled rejection.
  for (const each of started ?? []) each.catch(() => {});
  await forEachName(names, async (name, index) => {
    if ((await (started?.[index] ?? action(name))) !== "nothing done") writeOut(`${name}\n`);
  });
}

/** @throws DevboxError the first failure, with the others in `alsoFailed`, when all are done */
export async function forEachName(
  names: readonly string[],
  action: (name: string, index: number) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const [index, name] of names.entries()) {
    try {
      await action(name, index);
    } catch (error) {
      failures.push(error);
      if (error instanceof DevboxError && error.code === "INTERRUPTED") break;
    }
  }
  const [first, ...others] = failures;
  if (first instanceof DevboxError) first.alsoFailed.push(...others);
  if (first !== undefined) throw first;
}
