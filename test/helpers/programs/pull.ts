/** `bun pull.ts REFERENCE`: pulls into $DEVBOX_STORE and prints what happens, one event a line: a process that tests can kill. */
import { silentContext } from "../../../src/core/context.ts";
import { readHostFacts } from "../../../src/host/read-facts.ts";
import { pull } from "../../../src/image/pull/pull.ts";
import { hostPlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { openStore } from "../../../src/store/open.ts";

const say = (event: string): void => {
  process.stdout.write(`${event}\n`);
};
const context = {
  ...silentContext(),
  progress: {
    task: (label: string) => ({
      update: (bytes: number) => say(`${label} ${bytes}`),
      phase: (name: string) => say(`${label} ${name}`),
      done: (result: string) => say(`${label} ${result}`),
    }),
  },
};
const [reference = ""] = process.argv.slice(2);
const options = { platform: hostPlatform(), tlsVerify: true };
await pull(context, openStore(process.env), () => readHostFacts(process.env), parseReference(reference), options);
say("pulled");
