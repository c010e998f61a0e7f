/** The table of properties (test/e2e/oci-properties.test.ts) has a row for all that config.json may have. */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  hookPoints,
  ioPriorityClasses,
  namespaceTypes,
  rlimitTypes,
  rootfsPropagations,
  schedulerFlags,
  schedulerPolicies,
  seccompActions,
  seccompArchitectures,
  seccompFlags,
  seccompOperators,
} from "../../../src/oci/runtime-words.ts";
import { knownMountOptions } from "../../../src/sandbox/mount-options.ts";
import { fullConfig, placesOf } from "../../helpers/full-config.ts";
import { places, title } from "../../helpers/oci-properties/row.ts";
import { rows } from "../../helpers/oci-properties/rows.ts";

const sources = join(import.meta.dir, "../../../src/oci");
const covered = new Set(rows.flatMap(places));
/** Each name that stands in the table. */
const names = new Set([...covered].flatMap((place) => place.split(/[.[\]*]+/)));

/** Objects whose keys are anybody's. */
const maps = ["annotations", "linux.sysctl", "linux.netDevices", "linux.resources.rdma", "linux.resources.unified"];

function placeOf(path: readonly (string | number)[]): string {
  let place = "";
  for (const key of path) {
    if (typeof key === "number") place += "[]";
    else place += `${place === "" ? "" : "."}${maps.includes(place) ? "*" : key}`;
  }
  return place;
}

test("each place of a config.json in which every property is set", () => {
  const all = new Set([...placesOf(fullConfig)].map(placeOf));
  // Members of a list are seen with the list, and a list of objects, or an object, with its members.
  const isSeen = (place: string): boolean =>
    covered.has(place.replace(/\[\]$/, "")) || [...covered].some((other) => other.startsWith(`${place}.`));
  const missing = [...all].filter((place) => !isSeen(place));
  expect(missing).toEqual([]);
});

test("each property of the types", () => {
  const types = readFileSync(join(sources, "runtime.ts"), "utf8").split("\nexport interface State ")[0] ?? "";
  const properties = [...types.matchAll(/readonly (\w+)\??:/g)].flatMap(([, name = ""]) => name);
  expect(properties.length).toBeGreaterThan(120);
  expect(properties.filter((name) => !names.has(name) && !["uid", "gid"].includes(name))).toEqual([]);
});

test("each property that is read", () => {
  const files = readdirSync(sources).filter((name) => name.startsWith("parse-runtime"));
  const text = files.map((name) => readFileSync(join(sources, name), "utf8")).join("\n");
  const reads = [...text.matchAll(/\b(?:member|optional|optionalText|optionalNumber)\(\w+, "(\w+)"/g)];
  const properties = new Set(reads.map(([, name = ""]) => name));
  expect(properties.size).toBeGreaterThan(100);
  expect([...properties].filter((name) => !names.has(name))).toEqual([]);
});

describe("each word that a property may have", () => {
  const words = new Set(rows.flatMap(({ word = "" }) => word.split(/[\s:]+/)));
  test.each(
    Object.entries({
      ...{ hookPoints, ioPriorityClasses, namespaceTypes, rlimitTypes, rootfsPropagations, schedulerFlags },
      ...{ schedulerPolicies, seccompActions, seccompArchitectures, seccompFlags, seccompOperators },
      mountOptions: knownMountOptions(),
    }),
  )("%s", (_, list) => {
    expect(list.filter((word) => !words.has(word))).toEqual([]);
  });
});

test("no row stands for two others", () => {
  const titles = rows.map(title);
  expect(titles.filter((each, index) => titles.indexOf(each) !== index)).toEqual([]);
});
