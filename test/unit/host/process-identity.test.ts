import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { pollReadable } from "../../../ffi/libc.ts";
import { identify, isAlive, openProcess, processStartTime, signalProcess } from "../../../src/host/process-identity.ts";

test("a process is itself by when it began, and in which boot", () => {
  const self = identify(process.pid);
  if (self === undefined) throw new Error("we are not there");
  const others = [
    { ...self, startTime: self.startTime + 1 },
    { ...self, bootId: "another" },
    { ...self, pid: 2 ** 22 },
  ];
  expect([self, ...others].map(isAlive)).toEqual([true, false, false, false]);
  expect([self, ...others].map((each) => signalProcess(each, 0))).toEqual([true, false, false, false]);
  expect(others.map(openProcess)).toEqual([undefined, undefined, undefined]);
  const pidfd = openProcess(self);
  if (pidfd === undefined) throw new Error("we are not there");
  closeSync(pidfd);
  expect(processStartTime(2 ** 22)).toBeUndefined();
});

test("one that has ended is no more, although its parent has not heard of it", async () => {
  // The shell becomes sleep(1), which waits for nobody.
  await using parent = Bun.spawn(["sh", "-c", "sh -c 'read line' <&3 3<&- & echo $!; exec sleep 1000 3<&-"], {
    stdio: ["ignore", "pipe", "ignore", "pipe"],
  });
  const { value } = await parent.stdout.getReader().read();
  const child = identify(Number(new TextDecoder().decode(value)));
  if (child === undefined) throw new Error("the child is not there");
  expect(isAlive(child)).toBe(true);
  process.kill(child.pid, "SIGKILL");
  const pidfd = openProcess(child);
  if (pidfd !== undefined) {
    pollReadable(pidfd, 10_000);
    closeSync(pidfd);
  }
  expect([isAlive(child), identify(child.pid), signalProcess(child, 0)]).toEqual([false, undefined, false]);
});
