/** `bun count.ts LOCK COUNTER TIMES`: adds 1 to the number in COUNTER, TIMES times, each under a lock that is removed after. */
import { readFileSync, writeFileSync } from "node:fs";
import { tryLock } from "../../../src/store/locks.ts";

const [path = "", counter = "", times = "0"] = process.argv.slice(2);
for (let done = 0; done < Number(times); ) {
  const lock = tryLock(path, "exclusive");
  if (lock === undefined) continue;
  writeFileSync(counter, String(Number(readFileSync(counter, "utf8")) + 1));
  lock.remove();
  done += 1;
}
