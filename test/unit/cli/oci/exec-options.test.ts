import { describe, expect, test } from "bun:test";
import { type ExecOptions, readExecProcess } from "../../../../src/cli/oci/commands/exec-options.ts";
import type { ParsedConfig } from "../../../../src/oci/runtime.ts";

const config: ParsedConfig = {
  ociVersion: "1.2.0",
  root: { path: "/r" },
  mounts: [],
  linux: { namespaces: [] },
  process: {
    terminal: true,
    cwd: "/home",
    env: ["A=1"],
    args: ["init"],
    user: { uid: 5, gid: 6, additionalGids: [7] },
    capabilities: {
      bounding: ["CAP_KILL"],
      effective: ["CAP_KILL"],
      permitted: ["CAP_KILL"],
      inheritable: [],
      ambient: [],
    },
    noNewPrivileges: true,
  },
};

const none: ExecOptions = { command: ["ls", "-l"], env: [], "additional-gids": [], cap: [] };
const read = (options: Partial<ExecOptions>, of = config) => readExecProcess({ ...none, ...options }, of, () => {});

describe("what exec runs", () => {
  test("the container's own process with another command, and no terminal unless asked for", async () => {
    expect(await read({})).toMatchObject({ ...config.process, args: ["ls", "-l"], terminal: false });
  });

  test.each<[string, Partial<ExecOptions>, object]>([
    ["--tty", { tty: true }, { terminal: true }],
    ["--env", { env: ["B=2", "A="] }, { env: ["A=1", "B=2", "A="] }],
    ["--cwd", { cwd: "/x" }, { cwd: "/x" }],
    ["--user UID", { user: "9" }, { user: { uid: 9, gid: 6, additionalGids: [7] } }],
    ["--user UID:GID", { user: "9:0" }, { user: { uid: 9, gid: 0, additionalGids: [7] } }],
    [
      "--additional-gids",
      { "additional-gids": ["8", "9,10"] },
      { user: { uid: 5, gid: 6, additionalGids: [7, 8, 9, 10] } },
    ],
    ["--no-new-privs=false", { "no-new-privs": false }, { noNewPrivileges: false }],
    ["--apparmor", { apparmor: "p" }, { apparmorProfile: "p" }],
    ["--process-label", { "process-label": "l" }, { selinuxLabel: "l" }],
  ])("%s", async (_, options, expected) => expect(await read(options)).toMatchObject(expected));

  test("--cap reaches every set but the inheritable one", async () => {
    const both = ["CAP_KILL", "CAP_NET_RAW"];
    const expected = { bounding: both, effective: both, permitted: both, inheritable: [], ambient: [] };
    for (const name of ["NET_RAW", "cap_net_raw"]) expect((await read({ cap: [name] })).capabilities).toEqual(expected);
  });

  test("--cap with a capability that nobody knows is passed over with a warning", async () => {
    const warnings: string[] = [];
    const options = { ...none, cap: ["EVERYTHING", "NET_RAW"] };
    const { capabilities } = await readExecProcess(options, config, (warning) => warnings.push(warning));
    expect(capabilities?.effective).toEqual(["CAP_KILL", "CAP_NET_RAW"]);
    expect(warnings).toEqual(['option --cap: there is no capability "EVERYTHING"']);
  });

  test("a container without a process has somewhere to start from", async () => {
    expect(await read({}, { ...config, process: undefined })).toMatchObject({
      cwd: "/",
      user: { uid: 0, gid: 0 },
      env: [],
    });
  });
});

test.each<[string, Partial<ExecOptions>]>([
  ["no command", { command: [] }],
  ["a relative directory", { cwd: "x" }],
  ["a name", { user: "root" }],
  ["an id beyond all", { user: "4294967295" }],
  ["a group that is none", { "additional-gids": ["x"] }],
  ["a variable without a value", { env: ["X"] }],
])("%s is refused", async (_, options) =>
  expect(await read(options).catch((error) => error)).toMatchObject({ code: "USAGE" }),
);
