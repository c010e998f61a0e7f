/** A directory that an overlay on a real kernel has written to, and its changes as the copy worker tells them. */
import { join } from "node:path";
import type { ChangesRequest, CopyReply } from "../../src/layer/copy/request.ts";
import type { Laboratory } from "./layer-stack.ts";
import { namespaceOf } from "./layer-worker.ts";
import { type Listing, listTree } from "./listing.ts";
import type { Person } from "./machine.ts";

const main = join(import.meta.dir, "../../src/main.ts");

export interface ChangedBox {
  /** What its processes saw at the end. */
  readonly listing: Listing;
  /** The changes against `layers`. */
  tell(as: ChangesRequest["as"], more?: Partial<ChangesRequest>): Promise<Told>;
  readonly upper: string;
}

export interface Told {
  readonly output: Buffer;
  readonly reply: CopyReply;
}

/** Runs a shell script in an overlay of layers, base first. Its steps may fail. */
export async function changeBox(
  lab: Laboratory,
  person: Person,
  layers: readonly string[],
  script: string,
): Promise<ChangedBox> {
  const [upper, work, root] = [await lab.newTarget(), await lab.newTarget(), await lab.newTarget()];
  const lowers = [...layers].reverse();
  const options = `userxattr,lowerdir=${lowers.join(":")},upperdir=${upper},workdir=${work}`;
  const steps = `mount -t overlay overlay -o ${options} ${root} && (cd ${root} && { :\n${script}\n})`;
  const listing = await listTree(root, namespaceOf(person), steps);
  return { listing, upper, tell: (as, more = {}) => tell(person, { as, upper, lowers, mountPoints: [], ...more }) };
}

async function tell(person: Person, changes: ChangesRequest): Promise<Told> {
  const request = JSON.stringify({ reply: 2, changes });
  const command = [...namespaceOf(person), process.execPath, main, "__copy-worker", request];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [output, reply] = await Promise.all([child.stdout.bytes(), child.stderr.text(), child.exited]);
  return { output: Buffer.from(output), reply: JSON.parse(reply) as CopyReply };
}

/** `A /path` …, in the order of the paths. */
export function linesOf({ output }: Told): readonly string[] {
  const lines = output.toString("latin1").split("\0").filter(Boolean);
  return lines.sort((a, b) => (a.slice(2) < b.slice(2) ? -1 : 1));
}
