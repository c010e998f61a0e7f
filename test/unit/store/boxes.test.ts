import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { readBoxRecord, writeBoxRecord } from "../../../src/store/box-record.ts";
import {
  createBox,
  findBox,
  finishBox,
  listBoxes,
  type NewBox,
  removeBox,
  sweepBoxes,
} from "../../../src/store/boxes.ts";
import { boxPaths } from "../../../src/store/paths.ts";
import { failureOf } from "../../helpers/failure.ts";
import { putImage, type TemporaryStore, temporaryStore } from "../../helpers/temporary-store.ts";

const wanted = (name: string | undefined, more: Partial<NewBox> = {}): NewBox => ({
  name,
  image: "debian:12",
  manifestDigest: digestOf("manifest"),
  chainIds: [],
  created: "2024-01-01T00:00:00Z",
  command: ["sh", "-c", "echo"],
  labels: { a: "1" },
  ephemeral: false,
  ...more,
});
const make = ({ context, store }: TemporaryStore, name?: string, more?: Partial<NewBox>) =>
  createBox(context, store, wanted(name, more));
const list = ({ store }: TemporaryStore) =>
  listBoxes(store, (error) => {
    throw error;
  });

test("a box is found by its name, its id and the beginning of its id", async () => {
  using temporary = temporaryStore();
  const { paths, record } = await make(temporary, "one");
  expect(record).toMatchObject({ name: "one", status: "created", id: paths.id });
  for (const text of ["one", paths.id, paths.id.slice(0, 12)]) {
    expect(findBox(temporary.store, text).record).toEqual(record);
  }
  expect(failureOf(() => findBox(temporary.store, "two"))).toMatchObject({ code: "BOX_NOT_FOUND" });
  expect(failureOf(() => findBox(temporary.store, "../boxes"))).toMatchObject({ code: "BOX_NOT_FOUND" });
});

test("a name is had once; without one, one is found", async () => {
  using temporary = temporaryStore();
  const first = await make(temporary, "one");
  await expect(make(temporary, "one")).rejects.toMatchObject({ code: "BOX_NAME_TAKEN" });
  expect(list(temporary)).toHaveLength(1);
  expect(readdirSync(join(temporary.store.boxes, ".live"))).toEqual([first.paths.id]);
  const unnamed = await make(temporary);
  expect(unnamed.record.name).toMatch(/^[a-z]+_[a-z]+$/);
  removeBox(temporary.store, first.paths, "one", first.lock);
  expect((await make(temporary, "one")).record.name).toBe("one");
});

test("what is no name is refused before anything is made", async () => {
  using temporary = temporaryStore();
  for (const name of ["", "a", "../up", "-x", "a/b", "with space", "ümlaut"]) {
    await expect(make(temporary, name)).rejects.toMatchObject({ code: "USAGE" });
  }
  expect(list(temporary)).toEqual([]);
});

test("the name of a box whose removal was interrupted is free again", async () => {
  using temporary = temporaryStore();
  symlinkSync("f".repeat(64), join(temporary.store.boxes, ".names", "ghost"));
  expect((await make(temporary, "ghost")).record.name).toBe("ghost");
});

test("a removed box leaves nothing", async () => {
  using temporary = temporaryStore();
  const { paths, record, lock } = await make(temporary, "one");
  mkdirSync(join(paths.directory, "upper/deep"), { recursive: true });
  writeFileSync(join(paths.directory, "upper/deep/file"), "x");
  expect(removeBox(temporary.store, paths, record.name, lock)).toBe(true);
  expect(readdirSync(temporary.store.boxes).sort()).toEqual([".live", ".names"]);
  for (const name of [".live", ".names"]) expect(readdirSync(join(temporary.store.boxes, name))).toEqual([]);
});

test("a box whose image was removed a moment ago is not made", async () => {
  using temporary = temporaryStore();
  await expect(make(temporary, "one", { chainIds: [digestOf("no such layer")] })).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
  });
  expect(readdirSync(temporary.store.boxes).sort()).toEqual([".live", ".names"]);
  const image = await putImage(temporary, "a:1", ["x"]);
  expect((await make(temporary, "one", { chainIds: image.chainIds })).record.chainIds).toEqual(image.chainIds);
});

test("a sweep leaves the living alone, removes dead ephemeral boxes, and tells the end of the others", async () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const living = await make(temporary, "living", { ephemeral: true });
  const ephemeral = await make(temporary, "ephemeral", { ephemeral: true });
  const kept = await make(temporary, "kept");
  writeBoxRecord(kept.paths, { ...kept.record, status: "running", pid: 12345 });
  // What the kernel does when the supervisor dies.
  ephemeral.lock[Symbol.dispose]();
  kept.lock[Symbol.dispose]();
  expect([...sweepBoxes(store)].sort()).toEqual([ephemeral.paths.id, kept.paths.id].sort());
  expect(
    list(temporary)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(["kept", "living"]);
  const record = readBoxRecord(kept.paths);
  expect(record).toMatchObject({ status: "exited", exitCode: 137 });
  expect(record).not.toHaveProperty("pid");
  expect(sweepBoxes(store)).toEqual([]);
  expect(living.lock.path).toBe(boxPaths(store, living.paths.id).lock);
});

test("a sweep keeps the exit code that is known", async () => {
  using temporary = temporaryStore();
  const { paths, record, lock } = await make(temporary, "one");
  writeBoxRecord(paths, { ...record, status: "exited", exitCode: 3 });
  lock[Symbol.dispose]();
  sweepBoxes(temporary.store);
  expect(readBoxRecord(paths)).toMatchObject({ status: "exited", exitCode: 3 });
});

test("a sweep removes what was made halfway", () => {
  using temporary = temporaryStore();
  const { store } = temporary;
  const paths = boxPaths(store, "b".repeat(64));
  writeFileSync(paths.lock, "");
  mkdirSync(paths.directory);
  expect(sweepBoxes(store)).toEqual([paths.id]);
  expect(existsSync(paths.directory)).toBe(false);
});

test("a finished box is swept no more: its lock is gone", async () => {
  using temporary = temporaryStore();
  const box = await make(temporary, "one");
  finishBox(box, { ...box.record, exitCode: 0 });
  expect(readdirSync(join(temporary.store.boxes, ".live"))).toEqual([]);
  expect(findBox(temporary.store, "one").record).toMatchObject({ status: "exited", exitCode: 0 });
});

test("a damaged record is named, and does not hide the other boxes", async () => {
  using temporary = temporaryStore();
  const { paths } = await make(temporary, "bad");
  await make(temporary, "good");
  writeFileSync(paths.state, JSON.stringify({ version: 2 }));
  const failures: unknown[] = [];
  expect(listBoxes(temporary.store, (error) => failures.push(error)).map(({ name }) => name)).toEqual(["good"]);
  expect(failures).toMatchObject([{ code: "STORE_DAMAGED", hint: `remove the box: rm -rf ${paths.directory}` }]);
});
