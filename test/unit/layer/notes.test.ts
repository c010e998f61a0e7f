import { expect, test } from "bun:test";
import { createNotes } from "../../../src/layer/notes.ts";

test("one line a kind, with the number of the others", () => {
  const notes = createNotes();
  for (const name of ["null", "zero", "tty"]) notes.add("device", `${name} is a device`);
  notes.add("attribute", "x was left out");
  expect(notes.lines()).toEqual(["null is a device (and 2 more like it)", "x was left out"]);
});

test("kinds that an archive makes up do not fill the memory", () => {
  const notes = createNotes();
  for (let index = 0; index < 10_000; index++) notes.add(`kind ${index}`, "text");
  expect(notes.lines()).toHaveLength(100);
});
