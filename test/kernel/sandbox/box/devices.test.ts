/** linux.devices and the default devices (runtime-spec config-linux.md), seen from inside the box. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mknodat } from "../../../../ffi/libc.ts";
import type { LinuxDevice } from "../../../../src/oci/runtime.ts";
import { host, makeBusyboxRoot, openWorkshop } from "../../../helpers/busybox-box.ts";
import { boxFailure, inBox, kinds, type OciSettings } from "../../../helpers/oci-box.ts";

const workshop = openWorkshop();
afterAll(() => workshop[Symbol.asyncDispose]());

const AT_FDCWD = -100;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;
let count = 0;
function freshRoot(): string {
  const root = join(workshop.path, `root-${count++}`);
  makeBusyboxRoot(root);
  return root;
}

const full: LinuxDevice = { type: "c", path: "/dev/full", major: 1, minor: 7 };
/** What a box makes stays in its root. */
const see = (script: string, settings: OciSettings) => inBox(workshop, script, { root: freshRoot(), ...settings });
const stat = (...paths: readonly string[]) => `stat -c '%n %F %t:%T %a %u:%g' ${paths.join(" ")}`;
/** The box without a file system on /dev: it is the root's directory. */
const ownDev = (settings: OciSettings): OciSettings => ({
  ...settings,
  config: (config) => ({
    ...config,
    mounts: config.mounts.filter(({ destination }) => !destination.startsWith("/dev")),
  }),
});

describe.each(kinds)("%s", (kind) => {
  test("the default devices and links are there, and work", async () => {
    const script = `${stat("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")}
      for name in fd stdin stdout stderr core ptmx; do readlink /dev/$name; done
      echo x > /dev/null && (echo x > /dev/full) 2>/dev/null || echo full; head -c 4 /dev/urandom | wc -c`;
    const text = await see(script, { kind });
    expect(text.replace(/ (?:0:0|65534:65534)$/gm, "")).toBe(
      [
        ...["null 1:3", "zero 1:5", "full 1:7", "random 1:8", "urandom 1:9", "tty 5:0"].map((line) => {
          const [name, number] = line.split(" ");
          return `/dev/${name} character special file ${number} 666`;
        }),
        ...["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "/proc/kcore", "pts/ptmx"],
        ...["full", "4"],
      ].join("\n"),
    );
  });

  test("those of an image are replaced, whatever they are", async () => {
    const root = freshRoot();
    mkdirSync(join(root, "dev"));
    writeFileSync(join(root, "dev/null"), "no device");
    writeFileSync(join(root, "dev/ptmx"), "the host's");
    const mounts = [
      { destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"] },
    ];
    const settings = ownDev({ kind, root });
    const script = "stat -c %t:%T /dev/null; readlink /dev/ptmx; test -c /dev/ptmx && echo ptmx";
    const config = settings.config;
    const withPts: OciSettings = {
      ...settings,
      config: (all) => {
        const changed = config?.(all) ?? all;
        return { ...changed, mounts: [...changed.mounts, ...mounts] };
      },
    };
    expect(await see(script, withPts)).toBe("1:3\npts/ptmx\nptmx");
  });

  test("a device of config.json, below directories that are missing", async () => {
    const devices = [
      { ...full, path: "/dev/deep/er/full" },
      { type: "u", path: "/other/zero", major: 1, minor: 5 } as const,
    ];
    const text = await see(`${stat("/dev/deep/er/full", "/other/zero")}; head -c 2 /other/zero | wc -c`, {
      kind,
      linux: { devices },
    });
    expect(text).toMatch(/^\/dev\/deep\/er\/full character special file 1:7 666/);
    expect(text).toMatch(/\n\/other\/zero character special file 1:5 .*\n2$/);
  });

  test("FIFOs are made, with mode and owner, whatever the umask is", async () => {
    const devices = [{ type: "p", path: "/run/fifo", fileMode: 0o622, uid: 0, gid: 0 } as const];
    const text = await see(stat("/run/fifo"), { kind, linux: { devices } });
    expect(text).toStartWith("/run/fifo fifo 0:0 622 0:0");
  });

  test("the umask of the command is as ever afterwards", async () => {
    const devices = [{ type: "p", path: "/run/fifo" } as const];
    expect(await see("umask", { kind, linux: { devices } })).toBe("0022");
  });

  test("no numbers, and /dev/ptmx, which is the runtime's", async () => {
    const devices = [full, { type: "b", path: "/dev/x" } as const];
    expect(await boxFailure(workshop, { kind, linux: { devices } })).toMatchObject({
      code: "BAD_CONFIG",
      step: "make the device /dev/x of linux.devices[1]",
      because: "it has no numbers",
    });
    const ptmx = [{ type: "c", path: "/dev/ptmx", major: 5, minor: 2 } as const];
    expect(await see("readlink /dev/ptmx", { kind, linux: { devices: ptmx } })).toBe("pts/ptmx");
  });

  test("a directory that is bound on /dev is left alone", async () => {
    const source = join(workshop.path, `dev-${count++}`);
    mkdirSync(source);
    chmodSync(source, 0o777);
    const settings = ownDev({ kind, linux: { devices: [full, { type: "p", path: "/fifo" }] } });
    const config = settings.config;
    const text = await see("ls /dev; test -p /fifo && echo fifo", {
      ...settings,
      config: (all) => {
        const changed = config?.(all) ?? all;
        return {
          ...changed,
          mounts: [...changed.mounts, { destination: "/dev/", type: "bind", source, options: ["rbind"] }],
        };
      },
    });
    expect(text).toBe("fifo");
    expect(readdirSync(source)).toEqual([]);
  });

  test("symlinks of the image lead nowhere else", async () => {
    const root = freshRoot();
    const outside = join(workshop.path, `outside-${count++}`);
    mkdirSync(outside);
    symlinkSync(outside, join(root, "away"));
    const devices = [{ ...full, path: "/away/full" }];
    expect(await boxFailure(workshop, { kind, root, linux: { devices } })).toHaveProperty(
      "step",
      expect.stringContaining("/away"),
    );
    expect(readdirSync(outside)).toEqual([]);
  });
});

describe("with a user namespace", () => {
  const kind = "user namespace";

  test("the host's node is found by its numbers, where it has another name", async () => {
    const devices = [{ ...full, path: "/dev/elsewhere" }];
    expect(await see(stat("/dev/elsewhere"), { kind, linux: { devices } })).toMatch(/1:7/);
  });

  test("a device that the host does not have, or has as something else", async () => {
    const none = [{ type: "c", path: "/dev/none", major: 250, minor: 1234 } as const];
    expect(await boxFailure(workshop, { kind, linux: { devices: none } })).toMatchObject({
      step: "make the device /dev/none of linux.devices[0]: bind /dev/none",
      because: expect.stringContaining("ENOENT"),
    });
    const other = [{ type: "c", path: "/dev/zero", major: 250, minor: 5 } as const];
    expect(await boxFailure(workshop, { kind, linux: { devices: other } })).toMatchObject({
      step: "make the device /dev/zero of linux.devices[0]: /dev/zero is another device",
      because: expect.stringContaining("ENODEV"),
    });
  });
});

describe.if(host.uid === 0)("without a user namespace", () => {
  const kind = "no user namespace";

  test("nodes are made, with mode and owner", async () => {
    const devices: LinuxDevice[] = [
      { type: "c", path: "/dev/mine", major: 250, minor: 70_000, fileMode: 0o622, uid: 5, gid: 6 },
      { type: "b", path: "/dev/block", major: 7, minor: 300, fileMode: 0o600 },
      { ...full, fileMode: 0o640 },
    ];
    expect(await see(stat("/dev/mine", "/dev/block", "/dev/full"), { kind, linux: { devices } })).toBe(
      [
        "/dev/mine character special file fa:11170 622 5:6",
        "/dev/block block special file 7:12c 600 0:0",
        "/dev/full character special file 1:7 640 0:0",
      ].join("\n"),
    );
    expect(await see("grep -c ' /dev/null ' /proc/self/mountinfo; true", { kind })).toBe("0");
  });

  test("what is there already must be the same device", async () => {
    const root = freshRoot();
    mkdirSync(join(root, "n"));
    mknodat(AT_FDCWD, join(root, "n/full"), S_IFCHR | 0o666, (1 << 8) | 7);
    mknodat(AT_FDCWD, join(root, "n/block"), S_IFBLK | 0o666, (1 << 8) | 7);
    for (const name of ["full", "block"]) chmodSync(join(root, "n", name), 0o666);
    writeFileSync(join(root, "n/file"), "");
    symlinkSync("full", join(root, "n/link"));
    const devices = (name: string) => ({ linux: { devices: [{ ...full, path: `/n/${name}`, fileMode: 0o666 }] } });
    expect(await see("stat -c %t:%T /n/full", { kind, root, ...devices("full") })).toBe("1:7");
    for (const name of ["block", "file", "link"])
      expect(await boxFailure(workshop, { kind, root, ...devices(name) })).toMatchObject({
        step: `make the device /n/${name} of linux.devices[0]: something else is there`,
        because: expect.stringContaining("EEXIST"),
      });
    expect(lstatSync(join(root, "n/link")).isSymbolicLink()).toBe(true);
  });
});
