/** Records of containers are believed only where nobody else can have written them. */
import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findContainer } from "../../../src/runtime/container.ts";
import {
  containerPaths,
  lockContainer,
  makeContainerDirectory,
  requireOwnDirectory,
} from "../../../src/runtime/state-directory.ts";
import { failureOf } from "../../helpers/failure.ts";

const workshop = mkdtempSync(join(tmpdir(), "devbox-own-"));
afterAll(() => rmSync(workshop, { recursive: true }));

const root = join(workshop, "containers");
const paths = containerPaths(root, "one");

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  makeContainerDirectory(root, paths)[Symbol.dispose]();
});

/** What the commands say that would believe it. */
function refusals(): string[] {
  return [() => lockContainer(paths), () => findContainer(root, "one")].map(
    (command) => failureOf(command).message.split("\n")[0] ?? "",
  );
}

test("what is ours, also below a directory with the sticky bit", () => {
  chmodSync(root, 0o1777);
  expect(() => requireOwnDirectory(paths)).not.toThrow();
  expect(() => requireOwnDirectory(containerPaths("/tmp", "of-nobody"))).not.toThrow();
});

test("a root that everybody may write to", () => {
  chmodSync(root, 0o777);
  for (const said of refusals()) expect(said).toContain(`trust what lies in ${root}: everybody may write there`);
  expect(failureOf(() => makeContainerDirectory(root, containerPaths(root, "two"))).code).toBe("STATE_UNUSABLE");
});

test.each(["730", "703"])("a container's directory of mode %s", (mode) => {
  chmodSync(paths.directory, Number.parseInt(mode, 8));
  for (const said of refusals())
    expect(said).toContain(`trust what lies in ${paths.directory}: others may write there`);
});

describe.if(process.getuid?.() === 0)("as root", () => {
  test.each([
    ["the root", root],
    ["a container's directory", paths.directory],
  ])("%s of somebody else", (_, path) => {
    chmodSync(root, 0o1777);
    chownSync(path, 12345, 12345);
    for (const said of refusals()) expect(said).toContain(`trust what lies in ${path}: it belongs to user 12345`);
  });
});

describe.if(process.getuid?.() !== 0)("as an ordinary user", () => {
  test("a container's directory of somebody else", () => {
    const others = containerPaths("/proc", "1");
    expect(failureOf(() => lockContainer(others)).message).toContain("/proc/1: it belongs to user 0");
    mkdirSync(join(root, "another"), { mode: 0o711 });
    expect(() => requireOwnDirectory(containerPaths(root, "another"))).not.toThrow();
  });
});
