import { afterAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, storeRoot } from "../../../src/store/open.ts";
import { failureOf } from "../../helpers/failure.ts";

const base = realpathSync(mkdtempSync(join(tmpdir(), "devbox-open-")));
afterAll(() => rmSync(base, { recursive: true, force: true }));

test("DEVBOX_STORE, then XDG_DATA_HOME, then the home directory", () => {
  expect(storeRoot({ DEVBOX_STORE: "/a", XDG_DATA_HOME: "/b", HOME: "/c" })).toBe("/a");
  expect(storeRoot({ DEVBOX_STORE: "", XDG_DATA_HOME: "/b", HOME: "/c" })).toBe("/b/devbox");
  expect(storeRoot({ XDG_DATA_HOME: "relative", HOME: "/c" })).toBe("/c/.local/share/devbox");
});

test("a relative DEVBOX_STORE and a missing home are refused", () => {
  expect(failureOf(() => storeRoot({ DEVBOX_STORE: "here" }))).toMatchObject({ code: "STORE_UNUSABLE" });
  expect(failureOf(() => storeRoot({})).because).toBe("HOME is not set");
});

test("makes an OCI layout that only its owner may enter, and opens it again as it is", () => {
  const store = openStore({ DEVBOX_STORE: join(base, "new/deep") });
  expect(JSON.parse(readFileSync(join(store.images, "oci-layout"), "utf8"))).toEqual({ imageLayoutVersion: "1.0.0" });
  expect(JSON.parse(readFileSync(join(store.images, "index.json"), "utf8"))).toEqual({
    schemaVersion: 2,
    manifests: [],
  });
  expect(statSync(store.root).mode & 0o777).toBe(0o700);
  writeFileSync(join(store.images, "index.json"), "kept");
  expect(openStore({ DEVBOX_STORE: store.root })).toEqual(store);
  expect(readFileSync(join(store.images, "index.json"), "utf8")).toBe("kept");
});

test("a store that was made halfway is completed", () => {
  const root = join(base, "half");
  mkdirSync(join(root, "store/images"), { recursive: true });
  const store = openStore({ DEVBOX_STORE: root });
  expect([store.layers, store.ingest, store.locks, join(store.boxes, ".live")].every(existsSync)).toBe(true);
});

test("the path is real: a link to the store is followed once and for all", () => {
  const target = join(base, "target");
  mkdirSync(target);
  symlinkSync(target, join(base, "link"));
  expect(openStore({ DEVBOX_STORE: join(base, "link") }).root).toBe(target);
});

test("a file in the way is named as such", () => {
  const file = join(base, "file");
  writeFileSync(file, "");
  expect(failureOf(() => openStore({ DEVBOX_STORE: file }))).toMatchObject({
    code: "STORE_UNUSABLE",
    because: "it is a file, not a directory",
  });
  expect(failureOf(() => openStore({ DEVBOX_STORE: join(file, "below") })).because).toBe(
    "a part of its path is not a directory",
  );
});
