import { describe, expect, test } from "bun:test";
import type { HostFacts, IdRange } from "../../../src/host/facts.ts";
import { defaultStateRoot, isRootOfMachine } from "../../../src/runtime/state-directory.ts";
import { failureOf } from "../../helpers/failure.ts";

function facts(uid: number, ownUids: readonly IdRange[] = []): HostFacts {
  return {
    architecture: "x86_64",
    uid,
    gid: uid,
    userName: "dev",
    home: "/home/dev",
    subuids: [],
    subgids: [],
    ownUids,
    ownGids: ownUids,
    helpers: { newuidmap: undefined, newgidmap: undefined, slirp4netns: undefined },
  };
}

const root = facts(0, [{ start: 0, count: 4294967295 }]);
/** As rootless podman calls its runtime. */
const rootOfNamespace = facts(0, [
  { start: 0, count: 1 },
  { start: 1, count: 65536 },
]);
const env = { XDG_RUNTIME_DIR: "/run/user/1000" };

describe("where containers are kept", () => {
  test.each([
    ["root", root, env, "/run/devbox-oci"],
    ["root of a user's namespace", rootOfNamespace, env, "/run/user/1000/devbox-oci"],
    ["root of a namespace without a session", rootOfNamespace, {}, "/run/devbox-oci"],
    ["a user", facts(1000), env, "/run/user/1000/devbox-oci"],
  ] as const)("%s", (_, who, environment, expected) => expect(defaultStateRoot(environment, who)).toBe(expected));

  test.each([{}, { XDG_RUNTIME_DIR: "relative" }, { XDG_RUNTIME_DIR: "" }])(
    "a user with %j must say where",
    (environment) => expect(failureOf(() => defaultStateRoot(environment, facts(1000))).hint).toContain("--root"),
  );
});

test("root of a namespace is not root of the machine", () => {
  expect([root, rootOfNamespace, facts(1000)].map(isRootOfMachine)).toEqual([true, false, false]);
});
