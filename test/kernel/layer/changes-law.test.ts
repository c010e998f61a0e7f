/** Law: apply(diff(x)) = x. Whatever a box does to its files, its changeset over the same layers shows the same tree. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { changeBox } from "../../helpers/changed-box.ts";
import { type Laboratory, openLaboratory } from "../../helpers/layer-stack.ts";
import { differences, type Listing } from "../../helpers/listing.ts";
import { ordinaryUser, type Person, temporaryDirectory } from "../../helpers/machine.ts";
import { type TarItem, tar } from "../../helpers/tar-builder.ts";

const temporary = temporaryDirectory("devbox-changes");
let person: Person;
let lab: Laboratory;
beforeAll(async () => {
  person = await ordinaryUser();
  lab = await openLaboratory(person, temporary);
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await temporary[Symbol.asyncDispose]();
});

// The last one is no UTF-8.
const name = fc.constantFrom("a", "b", "c", "\\377");
const parts = fc.array(name, { minLength: 1, maxLength: 3 });
/** A word for the shell, of its octal escapes. */
const path = parts.map((names) => `"$(printf '${names.join("/")}')"`);

const layerName = fc.constantFrom("a", "b", "c");
const layerPath = fc.array(layerName, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"));
const item: fc.Arbitrary<TarItem> = fc.oneof(
  fc.record({ path: layerPath, content: fc.constantFrom("one", "two"), uid: fc.integer({ min: 0, max: 9 }) }),
  fc.record({ path: layerPath.map((text) => `${text}/`), mode: fc.constantFrom(0o755, 0o2750), mtime: fc.nat(1e9) }),
  fc.record({ path: layerPath, type: fc.constant("2"), link: layerPath }),
);
const hiding: fc.Arbitrary<TarItem> = fc.oneof(
  layerPath.map((text) => ({ path: text.replace(/[^/]*$/, ".wh.$&") })),
  layerPath.map((text) => ({ path: `${text}/.wh..wh..opq` })),
);

/** Nobody reads from a FIFO: who opens it to write would wait for ever. */
const unlessFifo = (at: string, command: string): string => `[ -p ${at} ] || { ${command}; }`;

/** What a program in a box may do; what cannot be done is not. */
const operation = fc.oneof(
  fc.tuple(path, fc.constantFrom("x", "yy")).map(([at, text]) => unlessFifo(at, `printf ${text} > ${at}`)),
  path.map((at) => unlessFifo(at, `printf more >> ${at}`)),
  path.map((at) => `mkdir -p ${at}`),
  path.map((at) => `rm -rf ${at}`),
  path.map((at) => `rm -rf ${at}; mkdir -p ${at}`),
  path.map((at) => `rm -rf ${at}; ln -s b ${at}`),
  path.map((at) => `mkfifo ${at}`),
  fc.tuple(path, path).map(([at, to]) => `ln ${at} ${to}`),
  fc.tuple(path, path).map(([at, to]) => `mv -T ${at} ${to}`),
  fc.tuple(path, fc.constantFrom("4751", "0600", "2770")).map(([at, mode]) => `chmod ${mode} ${at}`),
  fc.tuple(path, fc.nat(60000)).map(([at, id]) => `chown -h ${id}:7 ${at}`),
  path.map((at) => `setfattr -n user.key -v value ${at}`),
  path.map((at) => `setfattr -h -n security.capability -v 0x0100000200040000000000000000000000000000 ${at}`),
  path.map((at) => unlessFifo(at, `truncate -s 3000000 ${at}; printf x | dd of=${at} bs=1 seek=1000000 conv=notrunc`)),
  fc.tuple(path, fc.nat(1e9)).map(([at, time]) => `touch -h -d @${time}.123456789 ${at}`),
);

function withoutRoot(listing: Listing): Listing {
  return new Map([...withoutLinks(listing)].filter(([at]) => at !== "."));
}

function withoutLinks(listing: Listing): Listing {
  return new Map([...listing].map(([at, line]) => [at, line.replace(/same-as=\S*/, "")]));
}

async function obeys(layers: readonly TarItem[][], operations: readonly string[]): Promise<void> {
  const base = await lab.stack(layers.map((items) => tar(items))).catch((error: unknown) => {
    // A file in the way of a directory: no layer.
    if (String(error).includes("LAYER_INVALID")) return undefined;
    throw error;
  });
  fc.pre(base !== undefined);
  const script = operations.map((line) => `{ ${line}; } 2>/dev/null || :`).join("\n");
  const box = await changeBox(lab, person, base, script);
  const { output, reply } = await box.tell("archive");
  expect(reply.kind).toBe("done");
  if (output.length === 0) {
    // The root of the box has a time of its own.
    expect(differences(withoutRoot(box.listing), withoutRoot(await lab.listMerged(base)))).toEqual([]);
    return;
  }
  const again = await lab.stack([...layers.map((items) => tar(items)), output]);
  const ours = await lab.listMerged(again);
  expect(differences(withoutLinks(box.listing), withoutLinks(ours))).toEqual([]);
  // Which names are one file: an overlay that is written to tells other inode numbers for some of them.
  expect(differences(await lab.listMerged([...base, box.upper]), ours)).toEqual([]);
}

test("the changeset of a box, applied over its layers, is the box", async () => {
  const plain = fc.array(item, { minLength: 1, maxLength: 8 });
  const second = fc.array(fc.oneof(item, hiding), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(plain, second, fc.array(operation, { maxLength: 10 }), (below, above, operations) =>
      obeys([below, above], operations),
    ),
    {
      numRuns: 25,
      // A layer that hides what it then needs through a link of the layer below.
      examples: [
        [
          [
            { path: "b", type: "2", link: "c" },
            { path: "c/d", content: "one" },
          ],
          [{ path: ".wh.c" }, { path: "b/a", content: "one" }],
          [],
        ],
      ],
    },
  );
}, 120_000);
