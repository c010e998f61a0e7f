import { expect, test } from "bun:test";
import { parseImageName } from "../../../src/image/names/image-name.ts";

test("a name gets what it leaves out", () => {
  expect(parseImageName("app")).toMatchObject({ registry: "docker.io", repository: "library/app", tag: "latest" });
});

test.each([`app@sha256:${"a".repeat(64)}`, "oci:/dir", "docker-archive:x.tar", "Upper", ""])(
  "%s is no name to give",
  (text) => {
    expect(() => parseImageName(text)).toThrow(expect.objectContaining({ code: "BAD_REFERENCE" }));
  },
);
