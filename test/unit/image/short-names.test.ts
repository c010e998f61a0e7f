import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findImage } from "../../../src/image/names/find.ts";
import { readReference } from "../../../src/image/names/read-reference.ts";
import { expandShortName } from "../../../src/image/names/short-names.ts";
import { formatReference } from "../../../src/oci/reference.ts";
import { readEntries } from "../../../src/store/index-file.ts";
import { failureOf } from "../../helpers/failure.ts";
import { putImage, temporaryStore } from "../../helpers/temporary-store.ts";

const root = mkdtempSync(join(tmpdir(), "short-names-"));
afterAll(() => rmSync(root, { recursive: true }));
let [home, count] = ["", 0];
beforeEach(() => {
  home = join(root, `home-${count++}`);
  configure("");
});

/** The user's file, which takes the place of the machine's. */
function configure(text: string): void {
  const path = join(home, ".config/containers/registries.conf");
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
const env = () => ({ HOME: home });
const expand = (text: string) => formatReference(expandShortName(text, env()));
const digest = `sha256:${"a".repeat(64)}`;

test("without a word in the files: docker.io", () => {
  expect(expand("debian")).toBe("docker.io/library/debian:latest");
  expect(expand("me/debian:12")).toBe("docker.io/me/debian:12");
});

test("an alias takes tag and digest along", () => {
  configure(
    '[aliases]\n"fedora" = "registry.fedoraproject.org/fedora"\n"opensuse/leap" = "registry.opensuse.org/leap"\n',
  );
  expect(expand("fedora")).toBe("registry.fedoraproject.org/fedora:latest");
  expect(expand("fedora:40")).toBe("registry.fedoraproject.org/fedora:40");
  expect(expand(`fedora@${digest}`)).toBe(`registry.fedoraproject.org/fedora@${digest}`);
  expect(expand("opensuse/leap:15")).toBe("registry.opensuse.org/leap:15");
  expect(expand("fedora/x")).toBe("docker.io/fedora/x:latest");
});

test("what has its registry, or is a file, means itself, whatever the files say: they are not read", async () => {
  configure("nonsense");
  const names = ["docker.io/fedora", "index.docker.io/fedora", "docker://fedora", "localhost/fedora", "a.b/fedora"];
  expect(names.map(expand)).toEqual([
    ...Array(3).fill("docker.io/library/fedora:latest"),
    "localhost/fedora:latest",
    "a.b/fedora:latest",
  ]);
  expect(expand("oci:fedora")).toBe("oci:fedora");
  for (const id of [digest, "a".repeat(64), "a".repeat(12)]) await readReference(id, env());
  expect(failureOf(() => expand("fedora"))).toMatchObject({ code: "BAD_CONFIG" });
});

test("search registries: the one, or docker.io of several, else the choices are named", () => {
  configure('unqualified-search-registries = ["a.b"]');
  expect(expand("x:1")).toBe("a.b/x:1");
  configure('unqualified-search-registries = ["a.b", "docker.io"]');
  expect(expand("x")).toBe("docker.io/library/x:latest");
  configure('unqualified-search-registries = ["a.b", "docker.io"]\nshort-name-mode = "enforcing"');
  expect(failureOf(() => expand("x")).because).toBe("it may be any of a.b/x:latest, docker.io/library/x:latest");
  configure('unqualified-search-registries = ["a.b", "c.d"]');
  expect(failureOf(() => expand("x"))).toMatchObject({ code: "BAD_REFERENCE" });
});

test("of what is here, the first that it may mean; also what was docker.io's before there was an alias", async () => {
  using temporary = temporaryStore();
  await putImage(temporary, "x:1", ["1"]);
  const find = () => findImage(temporary.store, readEntries(temporary.store), "x:1", env());
  configure('unqualified-search-registries = ["a.b", "c.d"]');
  expect(find()).toMatchObject({ entry: { name: "docker.io/library/x:1" } });
  await putImage(temporary, "c.d/x:1", ["2"]);
  expect(find()).toMatchObject({ entry: { name: "c.d/x:1" } });
});
