import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, type Stats, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { volumeMounts } from "../../../src/bundle/volumes.ts";

const directory = mkdtempSync(join(tmpdir(), "devbox-volumes-"));
mkdirSync(join(directory, "data"), { mode: 0o750 });
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const stat = statSync(join(directory, "data"));
const imageStat = (target: string): Stats | undefined => (target === "/data" ? stat : undefined);
const own = (id: number): { containerID: number; hostID: number; size: number }[] => [
  { containerID: 7, hostID: id, size: 1 },
];
const base = {
  targets: ["/data"],
  mounts: [],
  readonlyRoot: false,
  imageStat,
  idMap: { uid: own(stat.uid), gid: own(stat.gid) },
  directory: "/box/volumes",
};

describe("a volume", () => {
  test("that is a directory of the image needs no mount", () => expect(volumeMounts(base)).toEqual([]));

  test("that the image lacks is a directory beside the box", () => {
    expect(volumeMounts({ ...base, targets: ["/data", "/new", "/new"] })).toEqual([
      { destination: "/new", type: "bind", source: "/box/volumes/1", options: ["rbind", "rprivate"] },
    ]);
  });

  test("inside another mount is one, too", () => {
    const mounts = [
      { destination: "/", source: "x" },
      { destination: "/dat", source: "x" },
    ];
    expect(volumeMounts({ ...base, mounts })).toEqual([]);
    const below = volumeMounts({ ...base, targets: ["/dat/a"], mounts, imageStat: () => stat });
    expect(below.map(({ source }) => source)).toEqual(["/box/volumes/0"]);
  });

  test("yields to what is mounted at its very place", () => {
    expect(volumeMounts({ ...base, targets: ["/new"], mounts: [{ destination: "/new", source: "x" }] })).toEqual([]);
  });

  test("under a read-only root is a tmpfs with the image's mode and owner", () => {
    const [data, fresh] = volumeMounts({ ...base, targets: ["/data", "/new"], readonlyRoot: true });
    expect(data?.options).toEqual(["nosuid", "nodev", "mode=750", "uid=7", "gid=7"]);
    expect(fresh?.options).toEqual(["nosuid", "nodev", "mode=755"]);
  });
});
