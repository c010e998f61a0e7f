/** Layers on file systems that share blocks: contents are shared, whatever owners and times are, and nothing is linked. */
import { afterAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { $ } from "bun";
import { differences } from "../../helpers/listing.ts";
import { ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { openShareLaboratory } from "../../helpers/share-laboratory.ts";
import type { TarItem } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-share-blocks");
afterAll(() => temporary[Symbol.asyncDispose]());

const fileSystems: readonly (readonly [name: string, make: string])[] = [
  ["xfs", "mkfs.xfs -q -m reflink=1"],
  ["btrfs", "mkfs.btrfs -q"],
];

/** A fresh file system in a sparse file; undefined where it cannot be had: not as root, without its tools, in containers. */
async function mounted(name: string, make: string, owner: Person): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const mount = join(temporary.path, name);
  const script = `truncate -s 400M ${mount}.img && ${make} ${mount}.img && mkdir ${mount} && mount -o loop ${mount}.img ${mount}`;
  const made = await $`sh -c ${`${script} && chown ${owner.uid}:${owner.gid} ${mount}`}`.nothrow().quiet();
  if (made.exitCode === 0) return mount;
  console.log(`no ${name}: ${made.stderr.toString().trim()}`);
  return undefined;
}

const person = await ordinaryUser();

describe.each(fileSystems)("%s", (name, make) => {
  test("equal contents share blocks; all else stays", async () => {
    const mount = await mounted(name, make, person);
    if (mount === undefined) return;
    await using share = await openShareLaboratory(person, temporary);
    const layer = async (label: string, items: readonly TarItem[]): Promise<string> => {
      await share.lab.run("mkdir", `${mount}/${label}`);
      const made = await share.layer(items, `${mount}/${label}`);
      if (made === undefined) throw new Error("the layer was refused");
      return made;
    };
    const large = Buffer.from(crypto.getRandomValues(new Uint8Array(65536)));
    const content = Buffer.concat(
      Array.from({ length: 320 }, (_, index) => Buffer.concat([large, Buffer.from([index])])),
    );
    const changed = Buffer.from(content);
    changed[content.length - 1] = 255;
    const old = await layer("old", [
      { path: "same", content, mtime: 1, uid: 5 },
      { path: "differs", content, mtime: 1 },
      { path: "small", content: "small", mtime: 1 },
    ]);
    const fresh = await layer("fresh", [
      { path: "same", content, mtime: 2, uid: 6, mode: 0o4711 },
      { path: "differs", content: changed, mtime: 1 },
      { path: "small", content: "small", mtime: 1 },
    ]);
    const before = [await share.list(old), await share.list(fresh)];
    expect(await share.share(fresh, old)).toMatchObject([{ layer: old, files: 1 }]);
    for (const [index, each] of [old, fresh].entries()) {
      expect(differences(before[index] ?? new Map(), await share.list(each))).toEqual([]);
    }
    expect(await share.lab.run("stat", "-c", "%h", `${fresh}/fs/same`, `${fresh}/fs/small`)).toBe("1\n1\n");
    await $`sync -f ${mount}`;
    const extents = (await $`filefrag -v ${fresh}/fs/same`.text()).split("\n").filter((line) => /^ *\d+:/.test(line));
    expect(extents.length).toBeGreaterThan(0);
    expect(extents.filter((line) => !line.includes("shared"))).toEqual([]);
    // A file that is the same but for its last block shares the rest, or nothing.
    expect(await $`cmp ${old}/fs/differs ${fresh}/fs/differs`.nothrow().quiet()).toMatchObject({ exitCode: 1 });
  }, 60_000);
});
