/** A process that lives long and makes box after box: nothing of them stays with it. */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { boxInput, failure, openWorkshop, output } from "../../helpers/busybox-box.ts";
import { descendants } from "../../helpers/processes.ts";
import { mountsAt } from "../../helpers/watched.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

/** Descriptors by what they are, without the numbers of pipes and sockets; not the one that lists them, closed by then. */
function descriptors(): readonly string[] {
  return readdirSync("/proc/self/fd")
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, "")];
      } catch {
        return [];
      }
    })
    .sort();
}

const state = () => ({
  descriptors: descriptors(),
  children: descendants(process.pid).slice(1),
  mounts: mountsAt(workshop.path),
});

/** What is there now and was not before; that Bun has meanwhile closed something of its own is no matter. */
function leftOf(before: ReturnType<typeof state>): ReturnType<typeof state> {
  const { descriptors, children, mounts } = state();
  const known = [...before.descriptors];
  const isNew = (name: string): boolean => {
    const index = known.indexOf(name);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  };
  return { descriptors: descriptors.filter(isNew), children, mounts };
}

/** The end of a box is told before the last pipe to its launcher is closed: after many boxes there is still one at most. */
async function settles(before: ReturnType<typeof state>): Promise<void> {
  const nothing = { descriptors: [], children: before.children, mounts: before.mounts };
  for (let round = 0; round < 400 && !Bun.deepEquals(leftOf(before), nothing); round++) await Bun.sleep(5);
  expect(leftOf(before)).toEqual(nothing);
}

/** All of the first box is gone: what is there now is what may stay. */
async function settled(): Promise<ReturnType<typeof state>> {
  for (let round = 0; round < 400; round++) {
    const before = state();
    await Bun.sleep(20);
    if (Bun.deepEquals(state(), before)) return before;
  }
  return state();
}

test("boxes that end well", async () => {
  const run = () => output(workshop, "echo hello");
  await run();
  const before = await settled();
  for (let round = 0; round < 50; round++) await run();
  await settles(before);
});

test("boxes with a terminal", async () => {
  const run = () => output(workshop, "tty < /dev/console", { options: { tty: true } });
  await run();
  const before = await settled();
  for (let round = 0; round < 20; round++) await run();
  await settles(before);
});

test("boxes that do not come up", async () => {
  const run = () => failure(boxInput(workshop, ["/not/there"]));
  expect(String(await run())).toContain("/not/there");
  const before = await settled();
  for (let round = 0; round < 50; round++) await run();
  await settles(before);
});
