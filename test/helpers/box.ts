/** What most e2e tests start from: a home in which the busybox image is pulled, and a short way to run a script in a box. */
import { afterAll, beforeAll } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Home, openHome, type Result, type RunSettings } from "./devbox.ts";
import { imageName } from "./given.ts";

export interface BoxHome {
  readonly home: Home;
  /** The busybox image. */
  readonly image: string;
  /** `devbox run --network none FLAGS busybox sh -c SCRIPT`. */
  sh(script: string, flags?: readonly string[], settings?: RunSettings): Promise<Result>;
  /** The same where all is to go well: its stdout without the last newline. */
  out(script: string, flags?: readonly string[], settings?: RunSettings): Promise<string>;
}

/** Call at the head of a test file: opens the home before its tests and takes it away after them. */
export function boxHome(): BoxHome {
  const home = openHome();
  const image = imageName("busybox");
  beforeAll(async () => {
    await home.ok(["pull", "--quiet", image]);
  });
  afterAll(() => home[Symbol.asyncDispose]());
  const line = (script: string, flags: readonly string[]): string[] => [
    "run",
    "--network",
    "none",
    ...flags,
    image,
    "sh",
    "-c",
    script,
  ];
  return {
    home,
    image,
    sh: (script, flags = [], settings = {}) => home.run(line(script, flags), settings),
    out: async (script, flags = [], settings = {}) => (await home.ok(line(script, flags), settings)).replace(/\n$/, ""),
  };
}

/** Ids of the boxes that are on disk, running or not; the directory's own records begin with a dot. */
export function boxesOnDisk(home: Home): readonly string[] {
  return readdirSync(join(home.store, "boxes")).filter((name) => !name.startsWith("."));
}
