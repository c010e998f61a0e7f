import { expect, test } from "bun:test";
import { boxEnvironment, environmentValue } from "../../../src/bundle/environment.ts";

const base = { imageEnv: [], requested: [], hostname: "box", home: "/root", tty: false };

test("defaults", () => {
  expect(boxEnvironment(base)).toEqual([
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=box",
    "container=devbox",
    "HOME=/root",
  ]);
  expect(boxEnvironment({ ...base, tty: true })).toContain("TERM=xterm");
});

test("the image over the defaults, the user over both, each key once", () => {
  const env = boxEnvironment({
    ...base,
    tty: true,
    imageEnv: ["PATH=/image", "A=1", "A=2", "EMPTY="],
    requested: ["A=3", "TERM=dumb", "B=x=y"],
  });
  expect(env).toEqual([
    "PATH=/image",
    "HOSTNAME=box",
    "container=devbox",
    "TERM=dumb",
    "A=3",
    "EMPTY=",
    "B=x=y",
    "HOME=/root",
  ]);
});

test("HOME that is given stays, an empty one counts as none", () => {
  expect(boxEnvironment({ ...base, imageEnv: ["HOME=/h"] })).toContain("HOME=/h");
  expect(boxEnvironment({ ...base, imageEnv: ["HOME="] })).toContain("HOME=/root");
});

test("a bare key takes the variable away; a nameless one is nothing", () => {
  const env = boxEnvironment({ ...base, imageEnv: ["A=1", "=x"], requested: ["A", "HOSTNAME"] });
  expect(env.map((entry) => entry.split("=")[0])).toEqual(["PATH", "container", "HOME"]);
});

test("looking a value up", () => {
  expect(environmentValue(["A=1", "AB=2", "A=3"], "A")).toBe("3");
  expect(environmentValue(["AB=2"], "A")).toBeUndefined();
});
