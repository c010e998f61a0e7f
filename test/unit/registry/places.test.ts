import { describe, expect, test } from "bun:test";
import { parseReference, type RegistryReference } from "../../../src/oci/reference.ts";
import { isInsecureRegistry, pullPlaces, pushPlace } from "../../../src/registry/configuration/places.ts";
import { parseRegistriesFile } from "../../../src/registry/configuration/registries-conf.ts";
import { failureOf } from "../../helpers/failure.ts";

const conf = (text: string) => parseRegistriesFile(Buffer.from(text), "r.conf");
const digest = `sha256:${"a".repeat(64)}`;

function named(text: string): RegistryReference {
  const reference = parseReference(text);
  if (reference.kind !== "registry") throw new Error("not of a registry");
  return reference;
}

function placesOf(name: string, text: string): readonly string[] {
  return pullPlaces(named(name), conf(text)).map(
    ({ registry, repository, insecure, isMirror }) =>
      `${isMirror ? "mirror " : ""}${registry} ${repository}${insecure ? " insecure" : ""}`,
  );
}

const moved = (prefix: string, location: string) => `[[registry]]\nprefix = "${prefix}"\nlocation = "${location}"\n`;

describe("which table is meant, and where it leads", () => {
  test.each([
    ["a.b/x/y:1", moved("a.b", "c.d/e"), "c.d e/x/y"],
    ["a.b/x/y:1", moved("a.b/x", "c.d"), "c.d y"],
    ["a.b/x/y:1", moved("a.b/x/y", "c.d/z"), "c.d z"],
    ["a.b/x/y:1", moved("a.b/x/y:1", "c.d/z:2"), "c.d z"],
    [`a.b/x@${digest}`, moved("a.b/x", "c.d/z"), "c.d z"],
    ["a.b/xy", moved("a.b/x", "c.d"), "a.b xy"],
    ["a.bc/x", moved("a.b", "c.d"), "a.bc x"],
    ["a.b:5000/x", moved("a.b", "c.d"), "a.b:5000 x"],
    ["a.b:5000/x", moved("a.b:5000", "c.d:6000"), "c.d:6000 x"],
    ["debian", moved("docker.io", "c.d/hub"), "c.d hub/library/debian"],
    ["debian", moved("docker.io/library", "c.d"), "c.d debian"],
    ["a.b/x", moved("a.b", "docker.io/me"), "docker.io me/x"],
    ["x.y.a.b/i", '[[registry]]\nprefix = "*.a.b"\ninsecure = true\n', "x.y.a.b i insecure"],
    ["a.b/i", '[[registry]]\nprefix = "*.a.b"\ninsecure = true\n', "a.b i"],
    ["c.d/x.a.b/i", '[[registry]]\nprefix = "*.a.b"\ninsecure = true\n', "c.d x.a.b/i"],
    ["x.a.b:5000/i", '[[registry]]\nprefix = "*.a.b"\nlocation = "c.d"\n', "c.d:5000 i"],
  ])("%s with %j", (name, text, place) => {
    expect(placesOf(name, text)).toEqual([place]);
  });

  test("the longest prefix, wherever it stands", () => {
    const tables = [moved("a.b/x", "1.example"), moved("a.b/x/y", "2.example"), moved("a.b", "3.example")];
    expect(placesOf("a.b/x/y/z", tables.join(""))).toEqual(["2.example z"]);
    expect(placesOf("a.b/x/y/z", tables.reverse().join(""))).toEqual(["2.example z"]);
  });

  test("a location that names no registry", () => {
    expect(failureOf(() => placesOf("a.b/x", moved("a.b", "mirror/x")))).toMatchObject({ code: "BAD_CONFIG" });
  });
});

test("mirrors in order, then the location; by the kind of name", () => {
  const text = `${moved("a.b", "c.d")}
    mirror = [
      { location = "any.example/m", insecure = true },
      { location = "digest.example", pull-from-mirror = "digest-only" },
      { location = "tag.example", pull-from-mirror = "tag-only" },
    ]`;
  const [any, primary] = ["mirror any.example m/x insecure", "c.d x"];
  expect(placesOf("a.b/x:1", text)).toEqual([any, "mirror tag.example x", primary]);
  expect(placesOf(`a.b/x@${digest}`, text)).toEqual([any, "mirror digest.example x", primary]);
});

test("a push goes to the name itself; blocked and insecure count", () => {
  const text = `${moved("a.b", "c.d")}insecure = true\nmirror = [{ location = "m.n" }]\n`;
  expect(pushPlace(named("a.b/x"), conf(text))).toEqual({
    registry: "a.b",
    repository: "x",
    insecure: true,
    isMirror: false,
  });
  const blocked = conf('[[registry]]\nlocation = "a.b/x"\nblocked = true\n');
  for (const place of [pushPlace, pullPlaces]) {
    expect(failureOf(() => place(named("a.b/x/y"), blocked))).toMatchObject({
      code: "REGISTRY_REFUSED",
      because: "registries.conf blocks a.b/x",
    });
    expect(place(named("a.b/z"), blocked)).toBeDefined();
  }
});

test("whether a registry is insecure, for logins", () => {
  const text = conf('[[registry]]\nlocation = "a.b:5000"\ninsecure = true\n');
  expect([isInsecureRegistry("a.b:5000", text), isInsecureRegistry("a.b", text)]).toEqual([true, false]);
});
